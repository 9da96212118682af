package room

import "time"

// A Place is one person's place in one room that is not closed.
type Place struct {
	Room  ID
	State State
	Seat  int // 0: none
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
