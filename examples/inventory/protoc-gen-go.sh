#!/bin/sh
# The protoc-gen-go of the version in go.mod, for go generate. protoc itself is
# Debian's package protobuf-compiler.
exec go run google.golang.org/protobuf/cmd/protoc-gen-go
