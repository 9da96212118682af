package room

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Options are an instructor's rules for a room. Two are equal if they say the
// same.
type Options struct {
	Waitlist        bool      `json:"waitlist"` // a full room has a line, and does not refuse
	Approval        bool      `json:"approval"` // whoever joins is pending until admitted
	Locked          bool      `json:"locked"`   // nobody new comes in
	Guests          bool      `json:"guests"`
	Roster          RosterFor `json:"roster"`
	SeatHoldSeconds int       `json:"seat_hold_seconds"` // of the absence after which a seat is given up; 0: never
	StartsAt        Timestamp `json:"starts_at"`         // scheduled until then; zero: opens at once
	MaxMinutes      int       `json:"max_minutes"`       // after the opening it closes by itself
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

// MaxSeatHold is the longest that a seat may be held for someone absent, in
// seconds: a day. Longer is 0, for as long as the room is open.
const MaxSeatHold = 86_400

// DefaultOptions are those of a room whose instructor set none.
func DefaultOptions() Options {
	return Options{Guests: true, Roster: RosterInstructor, MaxMinutes: 720}
}

// An OptionsEdit sets some options and leaves the rest, which are nil.
type OptionsEdit struct {
	Waitlist        *bool      `json:"waitlist,omitempty"`
	Approval        *bool      `json:"approval,omitempty"`
	Locked          *bool      `json:"locked,omitempty"`
	Guests          *bool      `json:"guests,omitempty"`
	Roster          *RosterFor `json:"roster,omitempty"`
	SeatHoldSeconds *int       `json:"seat_hold_seconds,omitempty"`
	StartsAt        *Timestamp `json:"starts_at,omitempty"` // of the zero time: none
	MaxMinutes      *int       `json:"max_minutes,omitempty"`
}

// on returns o as the edit makes it.
func (e *OptionsEdit) on(o Options) Options {
	set(&o.Waitlist, e.Waitlist)
	set(&o.Approval, e.Approval)
	set(&o.Locked, e.Locked)
	set(&o.Guests, e.Guests)
	set(&o.Roster, e.Roster)
	set(&o.SeatHoldSeconds, e.SeatHoldSeconds)
	set(&o.StartsAt, e.StartsAt)
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

func (e *OptionsEdit) read(name string, value json.RawMessage) (err error) {
	switch name {
	case "waitlist":
		e.Waitlist, err = option[bool](name, value, "true or false")
	case "approval":
		e.Approval, err = option[bool](name, value, "true or false")
	case "locked":
		e.Locked, err = option[bool](name, value, "true or false")
	case "guests":
		e.Guests, err = option[bool](name, value, "true or false")
	case "roster":
		e.Roster, err = option[RosterFor](name, value, `"instructor" or "everyone"`)
		if err == nil && *e.Roster != RosterInstructor && *e.Roster != RosterEveryone {
			err = BadField(name, `"instructor" or "everyone"`)
		}
	case "seat_hold_seconds":
		e.SeatHoldSeconds, err = number(name, value, 0, MaxSeatHold, "0 to 86400 seconds; 0: until the room closes")
	case "starts_at":
		e.StartsAt = new(Timestamp)
		if json.Unmarshal(value, e.StartsAt) != nil {
			err = BadField(name, "a time as in RFC 3339, as 2026-03-02T09:00:00Z, or null")
		}
	case "max_minutes":
		e.MaxMinutes, err = number(name, value, 1, MaxMinutes, "1 to 10080 minutes")
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

func number(name string, value json.RawMessage, least, most int, accepted string) (*int, error) {
	n, err := option[int](name, value, accepted)
	if err == nil && (*n < least || *n > most) {
		err = BadField(name, accepted)
	}
	return n, err
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
