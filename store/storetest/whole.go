package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// nothingSet sets every option to what says nothing by itself, which is not
// the same as leaving it.
var nothingSet = &room.Change{
	Title: new(string), Capacity: new(int),
	Options: &room.OptionsEdit{
		Waitlist: new(bool), Approval: new(bool), Locked: new(bool), Guests: new(bool), Roster: new(room.RosterFor),
		SeatHoldSeconds: new(int), StartsAt: &room.Timestamp{}, MaxMinutes: new(int),
	},
}

// commandsAreWhole: every field arrives as it was.
func commandsAreWhole(t *testing.T, s [2]Shared) {
	all := []room.Command{filled[room.Command](), {Change: nothingSet, Policy: &room.Policy{}}, {}}
	if err := s[0].Push(t.Context(), "r1", all); err != nil {
		t.Fatal(err)
	}
	queued, err := s[1].Head(t.Context(), "r1", 9)
	if err != nil || len(queued) != len(all) {
		t.Fatalf("%d commands wait, want %d: %v", len(queued), len(all), err)
	}
	for i, q := range queued {
		same(t, fmt.Sprint("command ", i), q.Command, all[i])
	}
}

// filled returns a value of which no part that travels, however deep, is zero.
func filled[T any]() T {
	var v T
	fill(reflect.ValueOf(&v).Elem(), new(int))
	return v
}

// fill gives each part of v another value, counting them.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(noon.Add(time.Duration(*n) * time.Millisecond)))
			return
		}
		for field, value := range v.Fields() {
			if field.Tag.Get("json") != "-" { // that does not travel
				fill(value, n)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.String:
		v.SetString(fmt.Sprint("학생", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) << 40)
	default:
		panic(fmt.Sprint("no value for a ", v.Type()))
	}
}
