package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
	"github.com/lectern-room/lectern/store/servers"
)

const (
	// lostAnswers are lost by lossyLines at the same time, each of which is
	// that of one instance to Postgres.
	lostAnswers = 100
	lossyLines  = 5
	// lostForLong is of how many answers one is lost together with those to
	// all that is tried next, until who asked is told so.
	lostForLong = 4
	// lostPatience is ten times what all that takes.
	lostPatience = 5 * time.Minute
)

// A lossyLine is what an instance reaches Postgres by.
type lossyLine struct {
	*cluster
	proxy   *servers.Proxy
	name    string
	home    *instance
	lecture *lecture
	pupils  []*pupil // each asked once while answers were lost, and then until told
	lost    int      // commits whose answer was
	truly   int      // answered with a seat all the same
}

// TestLostCommitAnswer: where the network loses the answer to the commit that
// a seat is given by, the student has the seat, or is told that nobody knows;
// whoever asks again gets that seat, and no other.
func TestLostCommitAnswer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	lines := make([]*lossyLine, lossyLines)
	for n := range lines {
		lines[n] = c.lossyLine(fmt.Sprint(n))
	}
	began := time.Now()
	var all sync.WaitGroup
	for _, l := range lines {
		all.Go(func() {
			for l.lost < lostAnswers/lossyLines && !t.Failed() && time.Since(began) < lostPatience {
				if err := l.lose(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	lost, truly := 0, 0
	for _, l := range lines {
		l.check()
		lost, truly = lost+l.lost, truly+l.truly
	}
	if lost != lostAnswers || truly == 0 || truly == lost {
		t.Errorf("%d answers to a commit were lost, %d people had their seat all the same", lost, truly)
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d of %d lost answers to a commit: %d answered truly, %d unavailable; asked again, each got the one seat",
			lost, lostAnswers, truly, lost-truly)
	}
}

// lossyLine starts an instance and opens a room with it.
func (c *cluster) lossyLine(name string) *lossyLine {
	c.t.Helper()
	proxy, err := servers.StartProxy(c.postgres.Addr())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(proxy.Close)
	l := &lossyLine{cluster: c, proxy: proxy, name: name}
	l.home = c.add("LECTERN_POSTGRES_URL=" + strings.Replace(c.postgres.URL(), c.postgres.Addr(), proxy.Addr(), 1))
	l.lecture = l.home.open("t"+name, manySeats)
	return l
}

// lose has a student ask while answers are lost, and again once they are not,
// until told.
func (l *lossyLine) lose() error {
	p := &pupil{user: room.UserID(fmt.Sprintf("s%s-%d", l.name, len(l.pupils)))}
	if err := p.connect(l.cluster, l.home); err != nil {
		return err
	}
	l.pupils = append(l.pupils, p)
	if err := l.proxy.LoseAnswers(); err != nil {
		return err
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		p.ask(l.lecture.code)
	}()
	lost, err := l.commits(p.user, answered)
	if lost && len(l.pupils)%lostForLong == 0 {
		<-answered
	}
	err = errors.Join(err, l.proxy.Heal())
	<-answered
	if err != nil {
		return err
	}
	if lost {
		l.lost++
	}
	if lost && p.answer().Type == "joined" {
		l.truly++
	}
	p.insist(l.lecture.code)
	return p.err
}

// commits tells whether someone is given a seat, as Postgres has it, before
// what was asked is answered.
func (l *lossyLine) commits(user room.UserID, answered <-chan struct{}) (bool, error) {
	for {
		r, _, err := l.rooms.Load(l.t.Context(), l.lecture.id, time.Now())
		if err != nil || r.Person(user) != nil {
			return err == nil, err
		}
		select {
		case <-answered: // it did not get as far as Postgres
			return false, nil
		case <-time.After(time.Millisecond):
		}
	}
}

// check looks for anything false that students were told, and for a second
// seat.
func (l *lossyLine) check() {
	l.t.Helper()
	if told := l.cluster.check(l.lecture, manySeats, l.pupils); told["joined"] != len(l.pupils) {
		l.t.Errorf("%d people asked again and were told %v", len(l.pupils), told)
	}
	for _, p := range l.pupils {
		if first := p.asked[0].answer; first.Type != "joined" && first.Code != string(room.CodeUnavailable) {
			l.t.Errorf("%s was answered %+v", p.user, first)
		}
		joined := l.happened(l.lecture.id, func(e room.Event) bool { return e.Type == room.EventJoined && e.User == p.user })
		if len(joined) != 1 || joined[0].Seat != p.answer().Seat {
			l.t.Errorf("%s was answered %+v, and the log has %+v", p.user, p.answer(), joined)
		}
	}
	l.checkLog(l.lecture.id)
}
