package room

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReadOptions(t *testing.T) {
	everyone, instructor := RosterEveryone, RosterInstructor
	for text, tt := range map[string]struct {
		edit  OptionsEdit
		field string // that is refused; empty: none is
	}{
		`{}`:                      {},
		`null`:                    {},
		`{"locked":true}`:         {edit: OptionsEdit{Locked: new(true)}},
		`{"locked":false}`:        {edit: OptionsEdit{Locked: new(false)}},
		`{"guests":false}`:        {edit: OptionsEdit{Guests: new(false)}},
		`{"roster":"everyone"}`:   {edit: OptionsEdit{Roster: &everyone}},
		`{"roster":"instructor"}`: {edit: OptionsEdit{Roster: &instructor}},
		`{"max_minutes":1}`:       {edit: OptionsEdit{MaxMinutes: new(1)}},
		`{"max_minutes":10080}`:   {edit: OptionsEdit{MaxMinutes: new(10080)}},
		` { "locked" : true , "guests" : true } `:      {edit: OptionsEdit{Locked: new(true), Guests: new(true)}},
		`{"waitlist":true,"approval":false}`:           {edit: OptionsEdit{Waitlist: new(true), Approval: new(false)}},
		`{"seat_hold_seconds": 0 , "starts_at": null}`: {edit: OptionsEdit{SeatHoldSeconds: new(0), StartsAt: &Timestamp{}}},
		`{"seat_hold_seconds":86400}`:                  {edit: OptionsEdit{SeatHoldSeconds: new(86400)}},
		`{"starts_at":"2026-03-02T21:00:00.0009+09:00"}`: {
			edit: OptionsEdit{StartsAt: &Timestamp{time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}},
		},

		`[]`:                                   {field: "options"},
		`true`:                                 {field: "options"},
		`"locked"`:                             {field: "options"},
		`{"locked":"true"}`:                    {field: "locked"},
		`{"locked":1}`:                         {field: "locked"},
		`{"locked":null}`:                      {field: "locked"},
		`{"guests":null}`:                      {field: "guests"},
		`{"guests":{}}`:                        {field: "guests"},
		`{"roster":"students"}`:                {field: "roster"},
		`{"roster":"Everyone"}`:                {field: "roster"},
		`{"roster":""}`:                        {field: "roster"},
		`{"roster":null}`:                      {field: "roster"},
		`{"max_minutes":0}`:                    {field: "max_minutes"},
		`{"max_minutes":-1}`:                   {field: "max_minutes"},
		`{"max_minutes":10081}`:                {field: "max_minutes"},
		`{"max_minutes":1.5}`:                  {field: "max_minutes"},
		`{"max_minutes":1e99}`:                 {field: "max_minutes"},
		`{"max_minutes":"60"}`:                 {field: "max_minutes"},
		`{"max_minutes":null}`:                 {field: "max_minutes"},
		`{"waitlist":null}`:                    {field: "waitlist"},
		`{"waitlist":0}`:                       {field: "waitlist"},
		`{"approval":"yes"}`:                   {field: "approval"},
		`{"seat_hold_seconds":86401}`:          {field: "seat_hold_seconds"},
		`{"seat_hold_seconds":-1}`:             {field: "seat_hold_seconds"},
		`{"seat_hold_seconds":null}`:           {field: "seat_hold_seconds"},
		`{"starts_at":"tomorrow"}`:             {field: "starts_at"},
		`{"starts_at":"2026-03-02"}`:           {field: "starts_at"},
		`{"starts_at":"1999-12-31T23:59:59Z"}`: {field: "starts_at"},
		`{"starts_at":"3000-01-01T00:00:00Z"}`: {field: "starts_at"},
		`{"starts_at":0}`:                      {field: "starts_at"},
		`{"colour":"red"}`:                     {field: "colour"},
		`{"Locked":true}`:                      {field: "Locked"},
		`{"":true}`:                            {field: ""},
		`{"locked":true,"colour":"red"}`:       {field: "colour"},
	} {
		t.Run(text, func(t *testing.T) {
			var edit OptionsEdit
			err := json.Unmarshal([]byte(text), &edit)
			if tt.field != "" || text == `{"":true}` {
				checkRefusal(t, err, BadField(tt.field, ""))
				return
			}
			if err != nil || !reflect.DeepEqual(edit, tt.edit) {
				t.Errorf("got %s, error %v", inJSON(edit), err)
			}
		})
	}
}

// The options of a room are read again by the edit that sets them all: what a
// client was shown it may send back.
func TestOptionsComeBack(t *testing.T) {
	var edit OptionsEdit
	if err := json.Unmarshal([]byte(inJSON(DefaultOptions())), &edit); err != nil {
		t.Fatal(err)
	}
	if got := edit.on(Options{}); got != DefaultOptions() {
		t.Errorf("got %+v, want %+v", got, DefaultOptions())
	}
}

func TestCheckChange(t *testing.T) {
	text := func(s string) Change { return Change{Title: &s} }
	for name, tt := range map[string]struct {
		change Change
		field  string // that is refused; empty: none is
	}{
		"nothing":           {},
		"one character":     {change: text("a")},
		"200 characters":    {change: text(strings.Repeat("강", 200))},
		"an emoji":          {change: text("👩🏽‍🏫 Logic")},
		"1 seat":            {change: seats(1)},
		"100,000 seats":     {change: seats(100_000)},
		"no title":          {change: text(""), field: "title"},
		"201 characters":    {change: text(strings.Repeat("a", 201)), field: "title"},
		"a line break":      {change: text("a\nb"), field: "title"},
		"NUL":               {change: text("a\x00b"), field: "title"},
		"a C1 control":      {change: text("a\u0085b"), field: "title"},
		"right to left":     {change: text("a\u202eb"), field: "title"},
		"an isolate":        {change: text("a\u2066b"), field: "title"},
		"not UTF-8":         {change: text("a\xffb"), field: "title"},
		"no seats":          {change: seats(0), field: "capacity"},
		"fewer than none":   {change: seats(-1), field: "capacity"},
		"more than 100,000": {change: seats(100_001), field: "capacity"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.change.Check()
			if tt.field == "" {
				checkRefusal(t, err, nil)
			} else {
				checkRefusal(t, err, BadField(tt.field, ""))
			}
		})
	}
}
