package room

import "time"

// A Place is one person's place in one room that is not closed.
type Place struct {
	Room  ID
	State State
	Seat  int // 0: none
	// Position is the rank in the line, from 1; 0: does not wait.
	Position int
}

// A Stay is the time from a socket's coming to its going.
type Stay struct {
	User UserID
	From time.Time
	To   time.Time // zero: the socket is still there
}

// A Point is how full a room was after one entry.
type Point struct {
	At     time.Time
	Taken  int
	Online int
}

// A History is what a store knows of a room from its opening on, all of one
// moment: what the attendance record is made of.
type History struct {
	Room   Header
	People []*Person
	Stays  []Stay  // by From
	Points []Point // by At
}

// An Erasure is what a store did to take a person's id and name out of it.
type Erasure struct {
	// Rooms are those in which the person is somebody else now: one of whom
	// nothing is known, and another in each room.
	Rooms []ID `json:"rooms"`
	// Open are those that know the person and are not closed. Nothing was
	// changed in them: close them and erase again.
	Open []ID `json:"open"`
	// Rows is how many rows were changed or deleted, by table.
	Rows map[string]int `json:"rows"`
}
