//go:build tools

// Package cnitool names the tool, so that go.mod and go.sum hold what it needs.
package cnitool

import (
	_ "github.com/containernetworking/cni/cnitool"
)
