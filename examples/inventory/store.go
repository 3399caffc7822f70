// Copyright The Rollcall Authors
// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
)

// A Store is a stock in memory. Its methods may be called from any goroutine.
type Store struct {
	mu   sync.Mutex
	left map[string]uint32 // by SKU
}

// NewStore returns a store that holds so much of each SKU.
func NewStore(stock map[string]uint32) *Store {
	s := &Store{left: make(map[string]uint32, len(stock))}
	maps.Copy(s.left, stock)
	return s
}

// Item returns an item, or ErrUnknown.
func (s *Store) Item(sku string) (*Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left, known := s.left[sku]
	if !known {
		return nil, fmt.Errorf("%q: %w", sku, ErrUnknown)
	}
	return &Item{Sku: sku, Left: left}, nil
}

// Items returns the items whose SKUs begin with prefix, in the order of their SKUs.
func (s *Store) Items(prefix string) []*Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	var items []*Item
	for _, sku := range slices.Sorted(maps.Keys(s.left)) {
		if strings.HasPrefix(sku, prefix) {
			items = append(items, &Item{Sku: sku, Left: s.left[sku]})
		}
	}
	return items
}

// Take takes count out and returns how many are left. The error is ErrCount,
// ErrUnknown or ErrOutOfStock, and nothing is taken.
func (s *Store) Take(sku string, count uint32) (left uint32, err error) {
	if count < 1 || count > maxCount {
		return 0, fmt.Errorf("count %d: %w", count, ErrCount)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	left, known := s.left[sku]
	switch {
	case !known:
		return 0, fmt.Errorf("%q: %w", sku, ErrUnknown)
	case left < count:
		return 0, fmt.Errorf("%q: %d wanted, %d left: %w", sku, count, left, ErrOutOfStock)
	}
	s.left[sku] = left - count
	return left - count, nil
}

// Add puts count in and returns how many there are. The error is ErrCount, also
// where so many cannot be counted.
func (s *Store) Add(sku string, count uint32) (left uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left = s.left[sku]
	if count < 1 || count > maxCount || left > math.MaxUint32-count {
		return 0, fmt.Errorf("count %d, with %d there: %w", count, left, ErrCount)
	}
	s.left[sku] = left + count
	return left + count, nil
}
