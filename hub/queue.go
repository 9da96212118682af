package hub

// A queue is sockets that have something to write, in order, through conn.next
// and conn.prev.
type queue struct{ first, last *conn }

func (q *queue) add(c *conn) {
	c.in, c.prev = q, q.last
	if q.last == nil {
		q.first = c
	} else {
		q.last.next = c
	}
	q.last = c
}

func (q *queue) remove(c *conn) {
	if c.prev == nil {
		q.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		q.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.in, c.prev, c.next = nil, nil, nil
}

// take returns the first socket; nil: there is none.
func (q *queue) take() *conn {
	c := q.first
	if c != nil {
		q.remove(c)
	}
	return c
}
