package room

import (
	"slices"
	"testing"
	"time"
)

func TestParseCode(t *testing.T) {
	for text, want := range map[string]string{
		"K7QF3MXD":                          "K7QF3MXD",
		"k7qf3mxd":                          "K7QF3MXD",
		"K7QF-3MXD":                         "K7QF3MXD",
		"-k-7-q-f-3-m-x-d":                  "K7QF3MXD",
		"oOiIlL00":                          "00111100",
		"":                                  "",
		"--------":                          "",
		"K7QF3MX":                           "",
		"K7QF3MXDK":                         "",
		"K7QF3MXU":                          "", // U is not in the alphabet
		"K7QF 3MXD":                         "",
		"K7QF3MX\u00e9":                     "",
		"K7QF3MX\n":                         "",
		"ABCDE\r\n\n":                       "",
		"K7QF3MXD-------------------------": "", // too long to be read at all
	} {
		if got := ParseCode(text); got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
}

// Whatever is made can be read, and is made once.
func TestNewCode(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		code := NewCode()
		if ParseCode(code) != code || seen[code] {
			t.Fatalf("%q is read as %q; seen before: %v", code, ParseCode(code), seen[code])
		}
		seen[code] = true
	}
}

// Ids sort by age, and those of one millisecond differ.
func TestNewID(t *testing.T) {
	var ids []ID
	for n := range 1000 {
		ids = append(ids, NewID(bell.Add(time.Duration(n)*time.Millisecond)))
	}
	if !slices.IsSorted(ids) {
		t.Error("younger ids sort before older ones")
	}
	if a, b := NewID(bell), NewID(bell); a == b || len(a) != 26 || len(NewToken()) != 16 {
		t.Errorf("ids %s and %s", a, b)
	}
}
