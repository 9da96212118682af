package room

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Options are an instructor's rules for a room. The waiting list, approval,
// the seat hold and the schedule are shown with their defaults, and setting
// them to anything else is refused: they are not built yet.
type Options struct {
	Waitlist        bool       `json:"waitlist"`
	Approval        bool       `json:"approval"`
	Locked          bool       `json:"locked"`
	Guests          bool       `json:"guests"`
	Roster          RosterFor  `json:"roster"`
	SeatHoldSeconds int        `json:"seat_hold_seconds"`
	StartsAt        *time.Time `json:"starts_at"`
	MaxMinutes      int        `json:"max_minutes"`
}

// RosterFor says who may watch a room's roster.
type RosterFor string

// Who may watch: the room's instructor alone, or everyone seated too.
const (
	RosterInstructor RosterFor = "instructor"
	RosterEveryone   RosterFor = "everyone"
)

// MaxMinutes is the longest that a room may stay open: a week.
const MaxMinutes = 10_080

// DefaultOptions are those of a room whose instructor set none.
func DefaultOptions() Options {
	return Options{Guests: true, Roster: RosterInstructor, MaxMinutes: 720}
}

// An OptionsEdit sets some options and leaves the rest, which are nil.
type OptionsEdit struct {
	Locked     *bool      `json:"locked,omitempty"`
	Guests     *bool      `json:"guests,omitempty"`
	Roster     *RosterFor `json:"roster,omitempty"`
	MaxMinutes *int       `json:"max_minutes,omitempty"`
}

// on returns o as the edit makes it.
func (e *OptionsEdit) on(o Options) Options {
	set(&o.Locked, e.Locked)
	set(&o.Guests, e.Guests)
	set(&o.Roster, e.Roster)
	set(&o.MaxMinutes, e.MaxMinutes)
	return o
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// UnmarshalJSON reads options as a client sends them. Its errors are
// Refusals that name the option.
func (e *OptionsEdit) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return BadField("options", "an object")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := e.read(name, fields[name]); err != nil {
			return err
		}
	}
	return nil
}

func (e *OptionsEdit) read(name string, value json.RawMessage) error {
	var err error
	switch name {
	case "locked":
		e.Locked, err = option[bool](name, value, "true or false")
	case "guests":
		e.Guests, err = option[bool](name, value, "true or false")
	case "roster":
		e.Roster, err = option[RosterFor](name, value, `"instructor" or "everyone"`)
		if err == nil && *e.Roster != RosterInstructor && *e.Roster != RosterEveryone {
			err = BadField(name, `"instructor" or "everyone"`)
		}
	case "max_minutes":
		e.MaxMinutes, err = option[int](name, value, "1 to 10080 minutes")
		if err == nil && (*e.MaxMinutes < 1 || *e.MaxMinutes > MaxMinutes) {
			err = BadField(name, "1 to 10080 minutes")
		}
	case "waitlist", "approval":
		err = notYet(name, value, "false")
	case "seat_hold_seconds":
		err = notYet(name, value, "0")
	case "starts_at":
		err = notYet(name, value, "null")
	default:
		err = BadField(name, "no such option")
	}
	return err
}

func option[T any](name string, value json.RawMessage, accepted string) (*T, error) {
	var v *T
	if err := json.Unmarshal(value, &v); err != nil || v == nil {
		return nil, BadField(name, accepted)
	}
	return v, nil
}

// notYet refuses an option of the protocol that this version has no answer
// to, unless it is set to what it is anyway.
func notYet(name string, value json.RawMessage, only string) error {
	if !bytes.Equal(value, []byte(only)) {
		return BadField(name, "only "+only+" in this version")
	}
	return nil
}

// Check refuses what a room may not be set to; its errors are Refusals that
// name the field. Options are checked as they are read.
func (c *Change) Check() error {
	if c.Title != nil {
		if err := CheckText("title", *c.Title, 200); err != nil {
			return err
		}
	}
	if c.Capacity != nil && (*c.Capacity < 1 || *c.Capacity > MaxCapacity) {
		return BadField("capacity", "1 to 100000 seats")
	}
	return nil
}

// CheckText refuses a text that people will read if it is blank, longer than
// most code points, or could disguise itself: control and
// bidirectional-override characters.
func CheckText(field, text string, most int) error {
	accepted := "1 to " + itoa(most) + " characters, not only spaces, none of them a control or text direction character"
	if n := utf8.RuneCountInString(text); n < 1 || n > most || !utf8.ValidString(text) || strings.TrimSpace(text) == "" {
		return BadField(field, accepted)
	}
	for _, c := range text {
		if unicode.IsControl(c) || c >= '\u202a' && c <= '\u202e' || c >= '\u2066' && c <= '\u2069' {
			return BadField(field, accepted)
		}
	}
	return nil
}
