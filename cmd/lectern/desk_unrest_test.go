package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

const (
	// stirEvery makes 20 changes a second.
	stirEvery = 50 * time.Millisecond
	// inSight is about how many seats a page shows when it was just opened.
	inSight = 15
)

// An unrest is people of a full room who come online, leave, join and go
// offline, in turn. Every other turn concerns someone who is in sight.
type unrest struct {
	seats []room.UserID // by number, less one
	dice  *rand.Rand
	turns int
	seat  int // of whom it concerns, less one
}

// A stir is one change.
type stir struct {
	what string
	user room.UserID
	seat int // its number
}

func newUnrest(seats []room.UserID) *unrest {
	return &unrest{seats: slices.Clone(seats), dice: rand.New(rand.NewPCG(1, 2))}
}

func (u *unrest) next() stir {
	what := []string{"online", "offline", "left", "joined"}[u.turns%4]
	switch what {
	case "online", "left":
		among := len(u.seats)
		if u.turns/2%2 == 0 {
			among = inSight
		}
		u.seat = u.dice.IntN(among)
	case "joined":
		u.seats[u.seat] = room.UserID(fmt.Sprint("latecomer-", u.turns))
	}
	u.turns++
	return stir{what, u.seats[u.seat], u.seat + 1}
}

// stirs has people of the hall come and go on the server, until the benchmark
// ends. Who closes a socket is shown offline later.
func (h *fullHall) stirs(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- h.keepStirring(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
}

func (h *fullHall) keepStirring(ctx context.Context) error {
	tick := time.NewTicker(stirEvery)
	defer tick.Stop()
	u := newUnrest(h.seats)
	var online *loadSocket
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		s := u.next()
		pass, err := h.passport(s.user, string(s.user), room.Student)
		if err != nil {
			return err
		}
		switch s.what {
		case "online":
			if online, err = dialSocket(ctx, h.url, pass); err == nil {
				_, err = online.ask(fmt.Appendf(nil, `{"id":1,"type":"join","code":%q}`, h.code))
			}
		case "offline":
			err = online.conn.Close()
		case "left":
			err = h.call(ctx, pass, http.MethodDelete, "/v1/rooms/"+string(h.id)+"/members/"+string(s.user), "", nil)
		case "joined":
			err = h.call(ctx, pass, http.MethodPost, "/v1/attend", `{"code":"`+h.code+`"}`, nil)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("have someone %s: %w", s.what, err)
		}
		h.stirred.Add(1)
	}
}
