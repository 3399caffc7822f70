package zkserver

import "net"

type session struct{}
type conn struct{}
type watchTable struct{}
type stats struct{}
type queue struct{}

func (*queue) init()      {}
func (*watchTable) init() {}

var (
	defaultWords = []string{"ruok"}
	words        = map[string]func(){}
)

func (s *Server) startOwner() { s.stopOwner = func() {} }
func (s *Server) cutAll(*serve) {}
func (s *Server) admit(_ *serve, nc net.Conn) { _ = nc.Close() }
