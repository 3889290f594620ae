package main

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// scratch opens the file of -file; its name is gone at once, so that nothing is left behind.
func scratch(o *options) *os.File {
	if o.file == "" {
		fatal("-file is needed")
	}
	f, err := os.Create(o.file)
	check(err)
	check(os.Remove(o.file))
	return f
}

// writeLimit writes -total-bytes into a new file in blocks of 1 MiB, without fsync.
func writeLimit(o *options, out figures) {
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i * 7)
	}
	f := scratch(o)
	defer f.Close()
	start, n := time.Now(), int64(0)
	for ; n < o.totalBytes; n += int64(len(block)) {
		_, err := f.Write(block)
		check(err)
	}
	out["mb_s"] = float64(n) / time.Since(start).Seconds() / 1e6
}

// sendfileLimit is what sendfile from the page cache gives over loopback, the bytes dropped by the reader's kernel.
func sendfileLimit(o *options, out figures) {
	const fileBytes = 256 << 20
	f := scratch(o)
	defer f.Close()
	block := make([]byte, 1<<20)
	for range fileBytes / len(block) {
		_, err := f.Write(block)
		check(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	var w window
	var bytes atomic.Int64
	var readers sync.WaitGroup
	for range o.connections {
		c, err := net.Dial("tcp", l.Addr().String())
		check(err)
		s, err := l.Accept()
		check(err)
		go sendForever(s.(*net.TCPConn), f, fileBytes)
		readers.Add(1)
		go func() {
			defer readers.Done()
			defer s.Close()
			defer c.Close()
			raw, err := c.(*net.TCPConn).SyscallConn()
			check(err)
			for !w.stopped.Load() {
				check(raw.Read(func(fd uintptr) bool {
					got, e := recvTruncated(fd, 1<<20)
					if e == 0 && w.measuring.Load() {
						bytes.Add(int64(got))
					}
					return e != unix.EAGAIN
				}))
			}
		}()
	}
	w.timed(o, out)
	readers.Wait()
	out["gb_s"] = float64(bytes.Load()) / w.seconds / 1e9
}

func sendForever(c *net.TCPConn, f *os.File, fileBytes int64) {
	raw, err := c.SyscallConn()
	check(err)
	for offset := int64(0); ; offset %= fileBytes {
		var failed error
		err := raw.Write(func(fd uintptr) bool {
			_, failed = unix.Sendfile(int(fd), int(f.Fd()), &offset, 1<<20)
			return failed != unix.EAGAIN
		})
		if err != nil || (failed != nil && failed != unix.EAGAIN && failed != unix.EINTR) {
			return // the reader has what it wanted
		}
	}
}
