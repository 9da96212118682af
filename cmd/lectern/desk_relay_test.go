package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lectern-room/lectern/room"
)

// pastPoints are those of a lecture's first hour: a server gives no more.
const pastPoints = 2000

// A relay stands between pages and the server of a full hall, which is quiet.
// Once a page has the whole roster, the relay sends it an event of its own for
// each change, 20 a second: twice as many as a server would. It gives the hall
// a past of an hour, too.
type relay struct {
	*fullHall
	b *testing.B
}

// relayed returns the address of a relay that ends with the benchmark.
func (h *fullHall) relayed(b *testing.B) string {
	r := &relay{h, b}
	proxy := httputil.NewSingleHostReverseProxy(h.url)
	proxy.ModifyResponse = giveAPast
	routes := http.NewServeMux()
	routes.Handle("/", proxy)
	routes.HandleFunc("GET /v1/socket", r.socket)
	server := httptest.NewServer(routes)
	b.Cleanup(server.Close)
	return server.URL
}

// giveAPast fills in the timeline of an attendance record.
func giveAPast(answer *http.Response) error {
	if !strings.HasSuffix(answer.Request.URL.Path, "/attendance") {
		return nil
	}
	var record map[string]json.RawMessage
	if err := json.NewDecoder(answer.Body).Decode(&record); err != nil {
		return err
	}
	points := make([]room.TimelinePoint, pastPoints)
	for i := range points {
		ago := time.Hour / pastPoints * time.Duration(pastPoints-i)
		points[i] = room.TimelinePoint{At: room.Timestamp{Time: time.Now().Add(-ago)}, Taken: audience - i%7, Online: audience*i/pastPoints - i%5}
	}
	var err error
	if record["timeline"], err = json.Marshal(points); err != nil {
		return err
	}
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	answer.Header.Del("Content-Length")
	return nil
}

// socket carries what is said on one socket to and fro, until either end goes.
func (r *relay) socket(w http.ResponseWriter, request *http.Request) {
	ctx, cancel := context.WithCancel(request.Context())
	defer cancel()
	server, _, err := websocket.Dial(ctx, r.url.String()+"/v1/socket", &websocket.DialOptions{
		Subprotocols: strings.Split(strings.ReplaceAll(request.Header.Get("Sec-WebSocket-Protocol"), " ", ""), ","),
		HTTPHeader:   http.Header{"Origin": request.Header["Origin"]},
	})
	if err != nil {
		r.b.Error(err)
		return
	}
	defer server.CloseNow()
	server.SetReadLimit(maxServerFrame)
	page, err := websocket.Accept(w, request, &websocket.AcceptOptions{Subprotocols: []string{server.Subprotocol()}})
	if err != nil {
		r.b.Error(err)
		return
	}
	defer page.CloseNow()
	var carriers sync.WaitGroup
	defer carriers.Wait()
	carriers.Go(func() {
		defer cancel()
		for carry(ctx, page, server) != nil {
		}
	})
	for {
		data := carry(ctx, server, page)
		if data == nil {
			cancel()
			return
		}
		var m rosterMessage
		if err := json.Unmarshal(data, &m); err == nil && (m.Type == "watching" || m.Type == "roster_page") && !m.More {
			carriers.Go(func() { r.tell(ctx, page, m.Version) })
		}
	}
}

// carry passes one message on, and returns it; nil: one of the two has gone.
func carry(ctx context.Context, from, to *websocket.Conn) []byte {
	_, data, err := from.Read(ctx)
	if err != nil || to.Write(ctx, websocket.MessageText, data) != nil {
		return nil
	}
	return data
}

// A rosterEvent is the protocol's event, of one change.
type rosterEvent struct {
	Type        string        `json:"type"`
	Room        room.ID       `json:"room_id"`
	From        int64         `json:"from"`
	Version     int64         `json:"version"`
	Joined      []rosterEntry `json:"joined"`
	Left        []any         `json:"left"`
	Online      []room.UserID `json:"online"`
	Offline     []room.UserID `json:"offline"`
	Taken       int           `json:"taken"`
	Waiting     int           `json:"waiting"`
	Pending     int           `json:"pending"`
	OnlineCount int           `json:"online_count"`
}

type rosterEntry struct {
	User     room.UserID    `json:"user"`
	Name     string         `json:"name"`
	State    string         `json:"state"`
	Seat     int            `json:"seat"`
	Place    *int           `json:"place"`
	Online   bool           `json:"online"`
	Guest    bool           `json:"guest"`
	JoinedAt room.Timestamp `json:"joined_at"`
}

// tell sends events that follow on a version.
func (r *relay) tell(ctx context.Context, page *websocket.Conn, version int64) {
	tick := time.NewTicker(stirEvery)
	defer tick.Stop()
	u := newUnrest(r.seats)
	online, taken := 0, len(r.seats)
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		e := rosterEvent{
			Type: "roster", Room: r.id, From: version, Version: version + 1,
			Joined: []rosterEntry{}, Left: []any{}, Online: []room.UserID{}, Offline: []room.UserID{},
		}
		switch s := u.next(); s.what {
		case "online":
			e.Online = append(e.Online, s.user)
			online++
		case "offline":
			e.Offline = append(e.Offline, s.user)
			online--
		case "left":
			e.Left = append(e.Left, map[string]any{"user": s.user, "reason": "left"})
			taken--
		case "joined":
			entry := rosterEntry{User: s.user, Name: string(s.user), State: "seated", Seat: s.seat, JoinedAt: room.Timestamp{Time: time.Now()}}
			e.Joined = append(e.Joined, entry)
			taken++
		}
		version++
		e.Taken, e.OnlineCount = taken, online
		data, err := json.Marshal(e)
		if err != nil || page.Write(ctx, websocket.MessageText, data) != nil {
			return
		}
		r.stirred.Add(1)
	}
}
