//go:build !race

package fuintest

// RaceEnabled tells that the programs under test look for races, too.
const RaceEnabled = false
