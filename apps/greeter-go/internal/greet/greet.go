// Package greet is the one use case.
package greet

import (
	"fmt"
	"unicode/utf8"
)

const longest = 100

// InvalidNameError says that a name is empty or longer than 100 characters.
type InvalidNameError struct{}

func (InvalidNameError) Error() string { return "the name cannot be greeted" }

// Description states the rule for names.
func (InvalidNameError) Description() string {
	return fmt.Sprintf("must have 1 to %d characters", longest)
}

// Greet says hello to a name of 1 to 100 characters. An emoji is one character.
func Greet(name string) (string, error) {
	// A code point has at most four bytes, so a name of megabytes is refused without counting.
	if len(name) == 0 || len(name) > 4*longest || utf8.RuneCountInString(name) > longest {
		return "", InvalidNameError{}
	}
	return "Hello " + name, nil
}
