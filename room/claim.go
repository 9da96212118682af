package room

import (
	"context"
	"errors"
	"strings"
)

// CodeClaim is the name under which a Store finds the room of a join code.
// Names across rooms are claims: at most one room holds each. A room's join
// code, its instructor's slot (an instructor has so many) and the key it was
// opened with are such names.
func CodeClaim(code string) string { return "code:" + code }

func slotClaim(u UserID, slot int) string { return "slot:" + itoa(slot) + ":" + string(u) }

func keyClaim(u UserID, key string) string {
	return "key:" + itoa(len(u)) + ":" + string(u) + ":" + key
}

// ClaimNames tells whether a claim holds the user's id.
func ClaimNames(claim string, u UserID) bool {
	if slot, ok := strings.CutPrefix(claim, "slot:"); ok {
		_, user, _ := strings.Cut(slot, ":")
		return user == string(u)
	}
	return strings.HasPrefix(claim, keyClaim(u, ""))
}

// names fills in what names a step takes and gives up.
func names(before *Room, step *Step) {
	code := before.Code
	for _, e := range step.Entry.Events {
		switch {
		case e.Type == EventChanged && e.Change.Code != "":
			step.Release = append(step.Release, CodeClaim(code))
			code = e.Change.Code
		case e.Type == EventClosed:
			step.Release = append(step.Release, CodeClaim(code), slotClaim(before.Instructor.User, before.Slot))
			return
		}
	}
	if code != before.Code {
		step.Claim = append(step.Claim, CodeClaim(code))
	}
}

// Open opens a room for an instructor. The same instructor and key (not
// empty) get the same room again, whatever became of it. The errors are
// refusals; ErrAlreadyOpen names the room that is in the way.
func (g *Registrar) Open(ctx context.Context, by Caller, change Change, key string) (id ID, already bool, err error) {
	if key != "" {
		id, err := g.holder(ctx, keyClaim(by.User, key))
		if !errors.Is(err, ErrNotFound) {
			return id, true, err
		}
	}
	o := opening{id: NewID(g.Now()), by: by, key: key, change: change}
	for {
		o.change.Code = NewCode()
		err := g.persist(ctx, o.step(g))
		var claimed *Claimed
		if !errors.As(err, &claimed) {
			return o.id, false, g.seen(err, "open a room", o.id)
		}
		switch {
		case strings.HasPrefix(claimed.Key, "key:"):
			return claimed.Holder, true, nil
		case strings.HasPrefix(claimed.Key, "slot:"):
			if o.change.Slot++; o.change.Slot >= g.RoomsPerInstructor {
				return "", false, ErrAlreadyOpen.In(claimed.Holder)
			}
		}
	}
}

// An opening is an attempt to open a room.
type opening struct {
	id     ID
	by     Caller
	key    string
	change Change
}

func (o *opening) step(g *Registrar) Step {
	r := &Room{Header: Header{ID: o.id}}
	open := Command{ID: g.newCommandID(), Type: CommandOpen, Room: o.id, By: o.by, Change: &o.change}
	step := r.Batch([]Command{open}, g.Now())
	step.Entry.Batch = NewToken()
	if o.key != "" {
		step.Claim = append(step.Claim, keyClaim(o.by.User, o.key))
	}
	step.Claim = append(step.Claim, slotClaim(o.by.User, o.change.Slot), CodeClaim(o.change.Code))
	return step
}
