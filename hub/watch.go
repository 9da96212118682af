package hub

import (
	"context"
	"strconv"
	"time"

	"github.com/lectern-room/lectern/room"
)

// pageSize is how many roster entries go into one frame.
const pageSize = 500

// watch makes s a watcher and answers with what has changed since the version
// that it has, or with the whole roster.
func (h *hall) watch(s *socket, q *request, v room.View) {
	if v.Status != room.Closed && !h.watchers[s] {
		h.beginWatch(s, v)
	}
	h.hub.Metrics.sent("watching", 1)
	head := append(append([]byte(`{"id":`), q.ID...), `,"type":"watching","room":`...)
	head = append(head, mustJSON(objectOf(&v.Header, seesCode(v.Room, s.caller())))...)
	head = strconv.AppendInt(append(head, `,"version":`...), v.Version, 10)
	if q.Since != nil {
		if deltas, ok := deltasSince(v, *q.Since); ok {
			s.conn.offerShared(textFrame(append(append(append(head, `,"deltas":`...), deltas...), '}')))
			return
		}
	}
	h.page(v.Room)
	head = append(append(head, `,"roster":`...), h.first...)
	head = strconv.AppendBool(append(head, `,"more":`...), len(h.further) > 0)
	s.conn.offerShared(textFrame(append(head, '}')))
	for _, frame := range h.further {
		h.hub.Metrics.sent("roster_page", 1)
		s.conn.offerShared(frame)
	}
}

// reach has this instance be where a watcher is who has come from another, and
// saw there what is not known here yet. All who come meanwhile share one
// question to the store, whatever they saw, or made up. It returns false where
// that was asked before this watcher came: the answer may lack what was seen.
// Where the store does not answer, nobody is told less than they know.
func (h *Hub) reach(id room.ID) (looked bool, err error) {
	_, err, _ = h.reaching.Do(string(id), func() (any, error) {
		looked = true
		ctx, cancel := context.WithTimeout(context.Background(), readTakesAtMost)
		defer cancel()
		return nil, h.Registrar.CatchUp(ctx, id)
	})
	return looked, err
}

func (h *hall) beginWatch(s *socket, v room.View) {
	if len(h.watchers) == 0 {
		h.from, h.heard = v.Version, v.Version
		clear(h.touched)
		h.savedAt = time.Time{}
	}
	h.watchers[s] = true
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching == nil {
		s.watching = map[room.ID]bool{}
	}
	s.watching[h.id] = true
}

func (h *hall) unwatch(s *socket) {
	delete(h.watchers, s)
	h.vacate()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watching, h.id)
	if !h.members[s] {
		delete(s.lagging, h.id)
	}
}

// page encodes the roster, once a version, however many ask for it.
func (h *hall) page(r *room.Room) {
	if h.pagedAt == r.Version {
		return
	}
	h.first, h.further, h.pagedAt = []byte("[]"), nil, r.Version
	roster := r.Roster()
	for i := 0; i < len(roster); i += pageSize {
		end := min(i+pageSize, len(roster))
		page := appendList(nil, roster[i:end], appendEntry)
		if i == 0 {
			h.first = page
		} else {
			h.further = append(h.further, finish(appendPage(draftFrame(len(page)+128), r, page, end < len(roster))))
		}
	}
}

// deltasSince returns the array of roster events that brings a watcher from a
// version to now: none or one. It returns false where that is not known any
// more or would be too much.
func deltasSince(v room.View, since int64) ([]byte, bool) {
	entries, ok := v.Since(since)
	if !ok {
		return nil, false
	}
	touched := map[room.UserID]bool{}
	for _, e := range entries {
		for _, event := range e.Events {
			if event.Type == room.EventErased || event.Type == room.EventClosed {
				return nil, false // it does not say who is not there any more, or not online
			}
			touch(touched, event)
		}
	}
	if len(entries) == 0 {
		return []byte("[]"), true
	}
	b := appendRoster([]byte{'['}, v.Room, deltaOf(v.Room, since, touched))
	return append(b, ']'), len(b) < frameLimit/2
}

// catchUp tells a socket that has missed frames where the room is.
func (h *hall) catchUp(s *socket, r *room.Room) {
	if h.watchers[s] {
		h.spare(s, "roster", textFrame(nudge(r)))
	}
	if h.members[s] {
		h.spare(s, "count", textFrame(appendCount(nil, r)))
	}
	if p := r.Member(s.user()); h.members[s] && p != nil && p.State == room.Waiting {
		h.spare(s, "your_place", textFrame(appendPlace(nil, r, p)))
	}
}
