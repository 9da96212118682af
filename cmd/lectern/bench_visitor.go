package main

import (
	"bytes"
	"errors"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A visitor is one person of a load, with one socket at a time.
type visitor struct {
	// Static.
	number    int
	user      room.UserID
	lesson    *lesson // nil: wants no seat
	at        int     // the place in the clientele; changed while there is no socket
	passport  string
	handshake []byte // for that place

	// The socket.
	fd         int // 0: there is none
	connection int32
	upgraded   bool
	writing    bool   // waits until the socket takes unsent
	unsent     []byte // shared with others: never changed
	rest       []byte // of what came: the beginning of a frame
	fragments  []byte // of a message that is not whole

	// What came of it.
	dialled, asked, joined time.Time
	seat                   int    // 0: none
	already                bool   // had it before
	refused                string // the code of the last refusal
	err                    error  // why there is no answer
	again                  int    // times that it could not be told and was asked again
	follow                 *follow
	done                   bool // for the scenario
}

// The ids of a visitor's requests.
const (
	joinID   = 1
	watchID  = 2
	updateID = 3
)

// join asks for a seat.
func (c *clientele) join(v *visitor) {
	v.asked = time.Now()
	c.send(v, v.lesson.join)
}

// take handles what has come for a visitor.
func (c *clientele) take(v *visitor, data []byte, at time.Time) {
	if len(v.rest) > 0 {
		v.rest = append(v.rest, data...)
		data = v.rest
	}
	connection := v.connection
	if !v.upgraded {
		behind, whole, err := c.upgrade.answered(data)
		if err != nil {
			c.end(v, err)
			return
		}
		data = behind
		if v.upgraded = whole; whole && c.opened != nil {
			c.opened(v)
		}
	}
	for v.upgraded && v.connection == connection && v.fd != 0 {
		f, behind, whole, err := cutFrame(data)
		if err != nil {
			c.end(v, err)
			return
		}
		if !whole {
			break
		}
		data = behind
		c.frame(v, f, at)
	}
	if v.connection == connection && v.fd != 0 {
		v.rest = append(v.rest[:0], data...)
	}
}

// frame handles one frame.
func (c *clientele) frame(v *visitor, f frame, at time.Time) {
	switch f.opcode {
	case opText, opContinue:
		if f.last && len(v.fragments) == 0 {
			c.message(v, f.payload, at)
			return
		}
		if v.fragments = append(v.fragments, f.payload...); f.last {
			message := v.fragments
			v.fragments = nil
			c.message(v, message, at)
		}
	case opPing:
		c.send(v, appendFrame(nil, opPong, f.payload))
	case opPong:
	case opClose:
		c.end(v, closedWith(f.payload))
	default:
		c.end(v, errors.New("the server sent a frame that is neither text nor control"))
	}
}

// message handles one message, as far as a load goes by it.
func (c *clientele) message(v *visitor, message []byte, at time.Time) {
	k := kindOf(message)
	c.heard[k]++
	c.lastHeard = at
	switch k {
	case kindJoined:
		v.joined, v.refused = at, ""
		v.seat, v.already = int(numberField(message, `"seat":`)), bytes.Contains(message, []byte(`"already":true`))
		c.isAnswered(v)
	case kindWaiting:
		v.refused = kindNames[kindWaiting]
		c.isAnswered(v)
	case kindError:
		c.refusal(v, message)
	case kindWatching, kindPage, kindRoster:
		if v.follow != nil && v.follow.hear(k, message, at) {
			c.send(v, v.follow.request())
		}
	case kindChanged:
		if c.changed != nil {
			c.changed(v, message, at)
		}
	case kindUpdated:
		if c.updated != nil {
			c.updated(v)
		}
	case kindDraining:
		if c.draining != nil {
			c.draining(v, time.Duration(numberField(message, `"reconnect_after_ms":`))*time.Millisecond)
		}
	}
}

func (c *clientele) isAnswered(v *visitor) {
	if c.answered != nil {
		c.answered(v)
	}
}

// againAfter is when what could not be told is asked again: a socket has 10
// requests a second.
const againAfter = 150 * time.Millisecond

// maxAgain is how often: a store that is away for longer is what is reported.
const maxAgain = 100

// refusal handles an error: of a join or a watch, which is asked again where it
// could not be told, or of another request, which no scenario expects.
func (c *clientele) refusal(v *visitor, message []byte) {
	code := string(textField(message, `"code":"`))
	id := numberField(message, `"id":`)
	watch := id == watchID && v.follow != nil
	switch again := code == string(room.CodeUnavailable) || code == string(room.CodeRateLimited); {
	case again && (watch || id == joinID) && v.again < maxAgain:
		v.again++
		connection := v.connection
		c.after(againAfter, func() {
			switch {
			case v.connection != connection:
			case watch:
				c.send(v, v.follow.request())
			default:
				c.send(v, v.lesson.join)
			}
		})
	case id != joinID:
		c.end(v, errors.New("the server refused a request: "+code))
	default:
		v.refused = code
		c.isAnswered(v)
	}
}
