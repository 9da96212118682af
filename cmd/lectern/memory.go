package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// quietFor is how long little must have happened until a rush counts as over.
	quietFor = 2 * time.Second
	// quietBytes allocated in that time is what waiting sockets take: their
	// sweeps, pings and beats. More is a rush.
	quietBytes = 4 << 20
	// worthBytes allocated since the last time are worth a collection.
	worthBytes = 32 << 20
)

// giveBackMemory returns memory to the system whenever a rush is over, until
// ctx is done. The runtime keeps as much again as is in use for the next one
// (runtime/debug, SetGCPercent), but who came at the bell is quiet for an hour.
func giveBackMemory(ctx context.Context) {
	tick := time.NewTicker(quietFor)
	defer tick.Stop()
	before, given, rush := uint64(0), uint64(0), false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := allocated()
		switch {
		case now-before >= quietBytes:
			rush = true
		case rush && now-given > worthBytes:
			debug.FreeOSMemory()
			given, rush = now, false
		}
		before = now
	}
}

// allocated returns how many bytes the process has allocated so far.
func allocated() uint64 {
	read := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(read)
	return read[0].Value.Uint64()
}
