package seal_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"fuin.dev/keys"
	"fuin.dev/seal"
)

// ringOf makes n age keys, the newest first.
func ringOf(t *testing.T, n int) []*keys.Identity {
	t.Helper()
	ids := make([]*keys.Identity, n)
	for i := range ids {
		id, err := keys.Generate(keys.X25519, time.Now().Add(-time.Duration(i)*time.Hour), 0, "")
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = id
	}
	return ids
}

// objectOf seals values, each with the key that it names by number.
func objectOf(t *testing.T, ids []*keys.Identity, with ...int) seal.Object {
	t.Helper()
	ob := seal.Object{Namespace: "shop", Name: "db", Values: map[string]string{}}
	for i, number := range with {
		sealer, err := seal.NewSealer(ids[number].Recipient())
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprintf("k%03d", i)
		at := seal.Place{Scope: seal.Strict, Namespace: ob.Namespace, Name: ob.Name, Key: key}
		if ob.Values[key], err = sealer.Seal(at, []byte("value of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	return ob
}

// turns opens an object in as many turns as it takes, each with the trials
// given, and counts the operations of all.
func turns(t *testing.T, ids []*keys.Identity, ob seal.Object, trials int) (opened seal.Opened, count, operations int, err error) {
	t.Helper()
	search := &seal.Search{}
	o := seal.Opener{Identities: ids, Search: search, Try: func(*keys.Identity) error { operations++; return nil }}
	for count = 1; count < 1000; count++ {
		search.Trials = trials
		if opened, err = o.Object(t.Context(), ob); !errors.Is(err, seal.ErrUndecided) {
			return opened, count, operations, err
		}
	}
	t.Fatal("the search never ends")
	return
}

// An object with fifty keys opens in the end, whatever its values were sealed
// with, and no key is tried twice on a value that it does not open.
func TestSearchGoesOnAtTheNextKey(t *testing.T) {
	ids := ringOf(t, 50)
	ob := objectOf(t, ids, 49, 0, 25, 25, 49, 10)
	opened, count, operations, err := turns(t, ids, ob, 64)
	if err != nil {
		t.Fatal(err)
	}
	if count < 2 {
		t.Errorf("all was found in %d turn: the test tests nothing", count)
	}
	for key := range ob.Values {
		if string(opened.Data[key]) != "value of "+key {
			t.Errorf("%s opened as %q", key, opened.Data[key])
		}
	}
	// In vain: 49, 1, 26, 0, at most 3, 13 and then each value opens at most twice.
	if most := 49 + 1 + 26 + 0 + 3 + 13 + 2*6; operations > most {
		t.Errorf("%d operations, want %d at most", operations, most)
	}
	if len(opened.Keys) != 4 {
		t.Errorf("opened with %d keys, want 4", len(opened.Keys))
	}
}

// What opens with the first key takes no trials, however many values there are.
func TestSearchForgivesWhatOpens(t *testing.T) {
	ids := ringOf(t, 3)
	ob := objectOf(t, ids, slices.Repeat([]int{2}, 200)...)
	_, count, operations, err := turns(t, ids, ob, 3)
	if err != nil || count != 1 || operations != 202 {
		t.Errorf("%d turns, %d operations, %v; want 1, 202", count, operations, err)
	}
}

// One value that opens with no key decides: junk costs no more than its trials.
func TestSearchGivesUpOnJunk(t *testing.T) {
	ids := ringOf(t, 50)
	strangers := ringOf(t, 1)
	ob := objectOf(t, strangers, slices.Repeat([]int{0}, 1500)...)
	_, count, operations, err := turns(t, ids, ob, 64)
	var failed *seal.ObjectError
	if !errors.As(err, &failed) || len(failed.Keys) != 1500 {
		t.Fatalf("got %v", err)
	}
	if count != 1 || operations > 64 {
		t.Errorf("%d turns, %d operations, want 1 and 64", count, operations)
	}
	if !errors.Is(err, seal.ErrNoKey) || !strings.Contains(err.Error(), "the others were not tried") {
		t.Errorf("it says %q", err)
	}
}

// The values that do open are not named as failed.
func TestSearchNamesWhatFails(t *testing.T) {
	ids := ringOf(t, 5)
	ob := objectOf(t, ids, 0, 0, 0)
	other := objectOf(t, ringOf(t, 1), 0, 0)
	ob.Values["k001"] = other.Values["k001"]
	_, _, _, err := turns(t, ids, ob, 64)
	var failed *seal.ObjectError
	if !errors.As(err, &failed) || len(failed.Keys) != 1 || failed.Keys[0].Key != "k001" {
		t.Errorf("got %v", err)
	}
}

// Without a Search every key is tried on every value.
func TestPatientOpeningTriesAll(t *testing.T) {
	ids := ringOf(t, 5)
	ob := objectOf(t, ringOf(t, 1), 0, 0)
	good := objectOf(t, ids, 4, 4, 4)
	maps.Copy(good.Values, ob.Values)
	operations := 0
	_, err := seal.Opener{Identities: ids, Try: func(*keys.Identity) error { operations++; return nil }}.Object(t.Context(), good)
	var failed *seal.ObjectError
	if !errors.As(err, &failed) || len(failed.Keys) != 2 || operations != 5+5+5 {
		t.Errorf("%d operations, %v", operations, err)
	}
}
