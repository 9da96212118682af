package hub

import (
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// TestStaysHaveNothingInCommon: by the sessions of one socket in two rooms
// nobody can tell that it was one person, whom an erasure names anew in each.
func TestStaysHaveNothingInCommon(t *testing.T) {
	inClass(t, func(t *testing.T, c *class) {
		ann := c.student("ann")
		var sessions []room.SessionID
		for _, lecturer := range []room.UserID{"lee", "kim"} {
			id, code := c.instructor(lecturer).openWith(2, nil)
			ann.expect(message{"type": "join", "code": code}, message{"type": "joined"})
			err := c.reg.View(t.Context(), room.ID(id), func(v room.View) {
				sessions = append(sessions, v.Person("ann").Sessions[0].ID)
			})
			if err != nil {
				t.Fatal(err)
			}
			ann.ask(message{"type": "leave"})
		}
		const alike = 8 // of 16 characters: never by chance
		if a, b := sessions[0], sessions[1]; a[:alike] == b[:alike] {
			t.Errorf("one socket's sessions in two rooms are %s and %s", a, b)
		}
	})
}

// TestInvitationOutlivesThePlan: a room passport is good for as long as its
// room, also if that is put off.
func TestInvitationOutlivesThePlan(t *testing.T) {
	h := newSchool(t).hub
	now := time.Now()
	planned := room.Header{ID: room.NewID(now), Status: room.Open, OpenedAt: now, Options: room.DefaultOptions()}
	invite, err := h.Keys.ParseInvitation(*h.invitation(&planned), planned.ClosesAt().Add(24*time.Hour))
	if err != nil || invite.Room != planned.ID {
		t.Errorf("a day after the planned end: %+v, %v", invite, err)
	}
}
