package roomtest

import (
	"fmt"

	"github.com/lectern-room/lectern/room"
)

// MaxSeats is the most seats that a room of a History may have: few, since
// what goes wrong does so over the last one.
const MaxSeats = 4

// A seating is all that there is to a room: who has which seat. It does one
// thing after the other, and so cannot be wrong.
type seating struct {
	holders [MaxSeats]room.UserID // by seat number-1; empty: free
	version int64                 // that the last answer was given in
}

// step carries a request out and tells whether it can have got that answer.
func (s seating) step(capacity int, r request, output any) (bool, seating) {
	if seen, ok := output.(seating); ok {
		return seen.holders == s.holders, s
	}
	got := output.(Answer)
	if !got.Unknown && got.Version > 0 {
		if got.Version < s.version {
			return false, s
		}
		s.version = got.Version
	}
	want := s.carryOut(capacity, r)
	want.Unknown, want.Version = got.Unknown, got.Version
	return got.Unknown || got == want, s
}

// carryOut answers a request, and changes s to what it is then.
func (s *seating) carryOut(capacity int, r request) Answer {
	has := s.seatOf(r.user)
	if r.asks != room.CommandJoin { // leaves, or is removed, which is well where there is no place
		if has > 0 {
			s.holders[has-1] = ""
		}
		return Answer{}
	}
	if has > 0 {
		return Answer{Seat: has, Already: true}
	}
	free := s.seatOf("")
	if free == 0 || free > capacity {
		return Answer{Code: room.CodeRoomFull}
	}
	s.holders[free-1] = r.user
	return Answer{Seat: free}
}

// seatOf returns the lowest seat that someone has, 0 for none; of nobody the
// lowest that is free.
func (s *seating) seatOf(user room.UserID) int {
	for n, holder := range s.holders {
		if holder == user {
			return n + 1
		}
	}
	return 0
}

// String is for the story of a history.
func (s seating) String() string { return fmt.Sprintf("seats %q", s.holders) }

// String is for the story of a history.
func (a Answer) String() string {
	switch {
	case a.Code != "":
		return string(a.Code)
	case a.Seat == 0:
		return fmt.Sprintf("done, version %d", a.Version)
	case a.Already:
		return fmt.Sprintf("seat %d already, version %d", a.Seat, a.Version)
	}
	return fmt.Sprintf("seat %d, version %d", a.Seat, a.Version)
}
