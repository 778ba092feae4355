package greet

import (
	"errors"
	"strings"
	"testing"
)

func TestNamesOfOneToAHundredCharactersAreGreeted(t *testing.T) {
	for _, name := range []string{"Ada", "I", strings.Repeat("x", 100), strings.Repeat("🫖", 100)} {
		got, err := Greet(name)
		if err != nil || got != "Hello "+name {
			t.Errorf("Greet(%q) = %q, %v", name, got, err)
		}
	}
}

func TestOtherNamesAreRefused(t *testing.T) {
	for _, name := range []string{"", strings.Repeat("x", 101), strings.Repeat("🫖", 101), strings.Repeat("x", 4_000_000)} {
		if _, err := Greet(name); !errors.As(err, &InvalidNameError{}) {
			t.Errorf("Greet of %d bytes: %v, want InvalidNameError", len(name), err)
		}
	}
}
