package fair_test

import (
	"strings"
	"sync"
	"testing"

	"fuin.dev/controller/fair"
	"go.uber.org/goleak"
	"k8s.io/client-go/util/workqueue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ workqueue.TypedInterface[string] = (*fair.Queue[string])(nil)

// newQueue takes items as TENANT/NAME; those that begin with "late" are late.
func newQueue(workers int) *fair.Queue[string] {
	tenant := func(item string) string { t, _, _ := strings.Cut(item, "/"); return t }
	late := func(item string) bool { return strings.Contains(item, "/late") }
	return fair.NewQueue(workers, tenant, late)
}

// get takes n items without finishing them.
func get(t *testing.T, q *fair.Queue[string], n int) (items []string) {
	t.Helper()
	for range n {
		item, shutdown := q.Get()
		if shutdown {
			t.Fatal("the queue ended")
		}
		items = append(items, item)
	}
	return items
}

func add(q *fair.Queue[string], items ...string) {
	for _, item := range items {
		q.Add(item)
	}
}

func TestTenantsTakeTurns(t *testing.T) {
	q := newQueue(100)
	add(q, "a/1", "a/2", "a/3", "a/4", "b/1", "b/2", "c/1")
	if got := strings.Join(get(t, q, 7), " "); got != "a/1 b/1 c/1 a/2 b/2 a/3 a/4" {
		t.Errorf("order %s", got)
	}
}

func TestLateItemsStandBehindTheirTenantsOthers(t *testing.T) {
	q := newQueue(100)
	add(q, "a/late", "a/1", "a/2", "b/late")
	if got := strings.Join(get(t, q, 4), " "); got != "a/1 b/late a/2 a/late" {
		t.Errorf("order %s", got)
	}
}

// A tenant who always has prompt items gets to its late ones all the same.
func TestLateItemsAreNotForgotten(t *testing.T) {
	q := newQueue(100)
	add(q, "a/late")
	for i := range 50 {
		add(q, "a/"+strings.Repeat("x", i+1))
		item := get(t, q, 1)[0]
		if item == "a/late" {
			return
		}
		q.Done(item)
	}
	t.Error("fifty turns, and the late item still waits")
}

// However many items a tenant has, a newcomer finds a worker.
func TestNoTenantTakesAllWorkers(t *testing.T) {
	const workers = 16
	q := newQueue(workers)
	for _, tenant := range []string{"a", "b", "c"} {
		for i := range 2 * workers {
			add(q, tenant+"/"+strings.Repeat("x", i+1))
		}
	}
	busy := map[string]int{}
	for _, item := range get(t, q, 12) {
		busy[item[:1]]++
	}
	for tenant, n := range busy {
		if n != 4 {
			t.Errorf("%s has %d of %d workers, want 4 while 4 are free", tenant, n, workers)
		}
	}
	add(q, "new/1")
	if item := get(t, q, 1)[0]; item != "new/1" {
		t.Errorf("a free worker went to %s", item)
	}
}

func TestAloneATenantHasHalfOfTheWorkers(t *testing.T) {
	q := newQueue(4)
	add(q, "a/1", "a/2", "a/3")
	get(t, q, 2)
	got := make(chan string)
	go func() { item, _ := q.Get(); got <- item }()
	select {
	case item := <-got:
		t.Fatalf("%s was handed out to a third of four workers", item)
	default:
	}
	q.Done("a/1")
	if item := <-got; item != "a/3" {
		t.Errorf("got %s", item)
	}
}

func TestAnItemIsWorkedOnOnceAtATime(t *testing.T) {
	q := newQueue(8)
	add(q, "a/1", "a/1")
	get(t, q, 1)
	add(q, "a/1", "a/1") // while it is worked on
	if q.Len() != 0 {
		t.Errorf("%d items wait", q.Len())
	}
	q.Done("a/1")
	if q.Len() != 1 {
		t.Errorf("%d items wait, want the one added again", q.Len())
	}
	get(t, q, 1)
	q.Done("a/1")
	if q.Len() != 0 {
		t.Error("it waits a third time")
	}
}

func TestShutDown(t *testing.T) {
	q := newQueue(2)
	add(q, "a/1", "a/2")
	get(t, q, 1)
	var drained sync.WaitGroup
	drained.Go(q.ShutDownWithDrain)
	for !q.ShuttingDown() {
	}
	add(q, "a/3") // too late
	q.Done("a/1")
	get(t, q, 1)
	q.Done("a/2")
	drained.Wait()
	if _, shutdown := q.Get(); !shutdown {
		t.Error("the queue goes on")
	}
}

func TestWorkersTogether(t *testing.T) {
	q := newQueue(8)
	const items = 2000
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				item, shutdown := q.Get()
				if shutdown {
					return
				}
				mu.Lock()
				seen[item]++
				mu.Unlock()
				q.Done(item)
			}
		})
	}
	for i := range items {
		add(q, string(rune('a'+i%7))+"/"+strings.Repeat("x", i%50)+string(rune('A'+i%26)))
	}
	q.ShutDownWithDrain()
	wg.Wait()
	if q.Len() != 0 || len(seen) == 0 {
		t.Errorf("%d wait, %d seen", q.Len(), len(seen))
	}
}
