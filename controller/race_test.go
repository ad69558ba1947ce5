//go:build race

package controller_test

// raceEnabled tells that the programs under test look for races, too.
const raceEnabled = true
