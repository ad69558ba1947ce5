package fuintest

import "os"

// Soak tells whether the long tests are asked for, as make soak does.
func Soak() bool { return os.Getenv("FUIN_SOAK") != "" }

// Kills is how often a controller is killed: five times, thirty in a soak.
func Kills() int {
	if Soak() {
		return 30
	}
	return 5
}
