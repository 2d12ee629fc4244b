// A small program under the Pyroscope SDK for Go: works, allocates, contends, until its standard input ends.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/grafana/pyroscope-go"
)

var (
	lock sync.Mutex
	kept = make([]string, 64)
)

func order(vehicle string, turn int) {
	pyroscope.TagWrapper(context.Background(), pyroscope.Labels("vehicle", vehicle), func(context.Context) {
		lock.Lock()
		defer lock.Unlock()
		for end := time.Now().Add(4 * time.Millisecond); time.Now().Before(end); {
			kept[turn%len(kept)] = strings.Repeat(vehicle, 256)
		}
	})
}

func main() {
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	profiler, err := pyroscope.Start(pyroscope.Config{
		ApplicationName: os.Getenv("CLIENT_APP"),
		ServerAddress:   os.Getenv("CLIENT_SERVER"),
		UploadRate:      2 * time.Second,
		Tags:            map[string]string{"team": "go", "note": "a b=c/é"},
		ProfileTypes: []pyroscope.ProfileType{
			pyroscope.ProfileCPU, pyroscope.ProfileAllocObjects, pyroscope.ProfileAllocSpace,
			pyroscope.ProfileInuseObjects, pyroscope.ProfileInuseSpace, pyroscope.ProfileGoroutines,
			pyroscope.ProfileMutexCount, pyroscope.ProfileMutexDuration,
			pyroscope.ProfileBlockCount, pyroscope.ProfileBlockDuration,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	over := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(over) }()
	for turn := 0; ; turn++ {
		select {
		case <-over:
			if err := profiler.Stop(); err != nil {
				log.Fatal(err)
			}
			return
		case <-time.After(20 * time.Millisecond):
			var both sync.WaitGroup
			for _, vehicle := range []string{"car", "bike"} {
				both.Add(1)
				go func() { defer both.Done(); order(vehicle, turn) }()
			}
			both.Wait()
		}
	}
}
