package main

import (
	"context"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

// TestMemoryIsGivenBack: some seconds after a rush the system has the memory
// that it took.
func TestMemoryIsGivenBack(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { giveBackMemory(ctx) })
	defer running.Wait()
	defer cancel()
	const rush = 128 << 20
	kept := make([][]byte, rush>>20)
	for i := range kept {
		kept[i] = make([]byte, 1<<20)
		for at := 0; at < 1<<20; at += 1 << 10 {
			kept[i][at] = 1 // the system gives memory when it is written to
		}
	}
	held := resident()
	clear(kept)
	for deadline := time.Now().Add(time.Minute); held-resident() < rush/2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d MiB of heap were resident in a rush, %d MiB are a minute later", held>>20, resident()>>20)
		}
	}
}

// resident returns the bytes of heap for which the process holds memory.
func resident() int64 {
	read := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(read)
	sum := int64(0)
	for _, s := range read {
		sum += int64(s.Value.Uint64())
	}
	return sum
}
