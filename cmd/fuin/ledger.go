package main

import (
	"slices"
	"sync"

	"fuin.dev/check"
	"fuin.dev/seal"
)

// A ledger knows the values that this run sealed, and for which place: with it
// can be told what a SealedSecret will say, without a private key. It lives in
// memory alone, and asks the user's memory for what was sealed before.
type ledger struct {
	memory seal.Memory // nil is none

	mu      sync.Mutex
	entries map[string]ledgerEntry // by what was sealed
	filled  []string               // keys of values that something else fills in
}

type ledgerEntry struct {
	at    seal.Place
	value []byte
}

// newLedger keeps nothing beyond this run but in the user's memory.
func newLedger(u *ui) *ledger {
	l := &ledger{entries: map[string]ledgerEntry{}}
	if m := u.memory(); m != nil {
		l.memory = m
	}
	return l
}

// Keep implements [seal.Memory].
func (l *ledger) Keep(at seal.Place, to []string, value []byte, sealed string) {
	if l.memory != nil {
		l.memory.Keep(at, to, value, sealed)
	}
	l.enter(at, value, sealed)
}

// Recall implements [seal.Memory].
func (l *ledger) Recall(at seal.Place, to []string, value []byte) (sealed string, ok bool) {
	if l.memory == nil {
		return "", false
	}
	if sealed, ok = l.memory.Recall(at, to, value); ok {
		l.enter(at, value, sealed)
	}
	return sealed, ok
}

func (l *ledger) enter(at seal.Place, value []byte, sealed string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[sealed] = ledgerEntry{at, slices.Clone(value)}
	if check.IsFilledIn(string(value)) {
		l.filled = append(l.filled, at.Key)
	}
}

func (l *ledger) forgetFilled() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.filled = nil
}

// open returns the value of a sealed one that stands at a place. known is false
// for what this run did not seal; ok, too, for what does not open there.
func (l *ledger) open(at seal.Place, sealed string) (value []byte, known, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, known := l.entries[sealed]
	if !known {
		return nil, false, false
	}
	ok = e.at.Scope == at.Scope
	switch at.Scope {
	case seal.Strict:
		ok = ok && e.at == at
	case seal.NamespaceWide:
		ok = ok && e.at.Namespace == at.Namespace
	}
	return e.value, true, ok
}
