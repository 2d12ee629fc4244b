// Times google/pprof on the files named: parse and write of the inflated bytes, in microseconds of CPU per operation, one JSON line each.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"sort"
	"strconv"
	"syscall"
	"time"

	"github.com/google/pprof/profile"
)

func main() {
	runtime.GOMAXPROCS(1)
	ms, err := strconv.Atoi(os.Args[1])
	check(err)
	for _, path := range os.Args[2:] {
		raw := read(path)
		parsed, err := profile.ParseUncompressed(raw)
		check(err)
		parse := measure(ms, func() {
			_, err := profile.ParseUncompressed(raw)
			check(err)
		})
		write := measure(ms, func() { check(parsed.WriteUncompressed(io.Discard)) })
		line, err := json.Marshal(map[string]any{"file": path, "decode": parse, "encode": write})
		check(err)
		fmt.Println(string(line))
	}
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	check(err)
	if len(data) > 2 && data[0] == 0x1f && data[1] == 0x8b {
		reader, err := gzip.NewReader(bytes.NewReader(data))
		check(err)
		data, err = io.ReadAll(reader)
		check(err)
	}
	return data
}

// The median of five rounds, each long enough to be timed.
func measure(ms int, work func()) float64 {
	least := time.Duration(ms) * time.Millisecond
	times := 1
	for {
		if took := round(times, work); took >= least/5 {
			times = max(1, int(float64(times)*float64(least)/float64(took)/5))
			break
		}
		times *= 2
	}
	rounds := make([]float64, 5)
	for i := range rounds {
		rounds[i] = float64(round(times, work).Nanoseconds()) / 1000 / float64(times)
	}
	sort.Float64s(rounds)
	return rounds[2]
}

// CPU time of the process, its collector included.
func round(times int, work func()) time.Duration {
	start := used()
	for range times {
		work()
	}
	return used() - start
}

func used() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
