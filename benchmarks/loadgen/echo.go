package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	echoAnswerBytes = 64
	echoFetchBytes  = 1 << 20
	echoInputBytes  = 2 << 20
	keyFetch        = 1
)

// echoServer answers every frame at once with canned bytes: one thread, epoll, no parsing beyond length, API key
// and correlation id; Fetch is answered by sendfile. It is not a broker: it is the limit for request workloads.
type echoServer struct {
	epoll, listener int
	file            *os.File
	clients         map[int]*echoClient
}

type echoClient struct {
	input  []byte
	length int
}

// echo serves until it is killed. The socket is bound before "serving" is printed.
func echo(o *options, _ figures) {
	runtime.LockOSThread()
	f := scratch(o)
	_, err := f.Write(make([]byte, echoFetchBytes))
	check(err)
	s := &echoServer{file: f, clients: map[int]*echoClient{}}
	s.listen(o.bootstrap)
	fmt.Println("serving")
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(s.epoll, events, -1)
		if err == unix.EINTR {
			continue
		}
		check(err)
		for _, e := range events[:n] {
			if int(e.Fd) == s.listener {
				s.accept()
			} else {
				s.read(int(e.Fd))
			}
		}
	}
}

func (s *echoServer) listen(address string) {
	a, err := net.ResolveTCPAddr("tcp4", address)
	check(err)
	s.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	check(err)
	check(unix.SetsockoptInt(s.listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	sa := &unix.SockaddrInet4{Port: a.Port}
	copy(sa.Addr[:], a.IP.To4())
	check(unix.Bind(s.listener, sa))
	check(unix.Listen(s.listener, 1024))
	s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	check(err)
	s.watch(s.listener)
}

func (s *echoServer) watch(fd int) {
	check(unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
}

func (s *echoServer) accept() {
	fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		return
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	s.clients[fd] = &echoClient{input: make([]byte, echoInputBytes)}
	s.watch(fd)
}

func (s *echoServer) read(fd int) {
	c := s.clients[fd]
	got, err := unix.Read(fd, c.input[c.length:])
	if err == unix.EAGAIN {
		return
	}
	if err != nil || got == 0 {
		unix.Close(fd)
		delete(s.clients, fd)
		return
	}
	c.length += got
	at := 0
	for c.length-at >= 12 {
		size := 4 + int(binary.BigEndian.Uint32(c.input[at:]))
		if c.length-at < size {
			break
		}
		s.answer(fd, c.input[at:at+size])
		at += size
	}
	copy(c.input, c.input[at:c.length])
	c.length -= at
}

func (s *echoServer) answer(fd int, frame []byte) {
	var answer [echoAnswerBytes]byte
	binary.BigEndian.PutUint32(answer[:], echoAnswerBytes-4)
	copy(answer[4:8], frame[8:12])
	if binary.BigEndian.Uint16(frame[4:]) != keyFetch {
		_, _ = unix.Write(fd, answer[:])
		return
	}
	binary.BigEndian.PutUint32(answer[:], 4+echoFetchBytes)
	_, _ = unix.Write(fd, answer[:8])
	for offset := int64(0); offset < echoFetchBytes; {
		_, err := unix.Sendfile(fd, int(s.file.Fd()), &offset, echoFetchBytes-int(offset))
		if err == unix.EAGAIN { // one large answer at a time: wait for this one
			_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
		}
		if err != nil && err != unix.EINTR {
			return
		}
	}
}
