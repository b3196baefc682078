package main

import (
	"crypto/sha256"
	"image"
	"image/color"
)

// A picture has so many squares in each direction, and its right half mirrors its left.
const squares = 5

// draw makes a picture of a name, with a palette of two colours: that keeps it small.
func draw(name string, pixels int, background color.RGBA) image.Image {
	digest := sha256.Sum256([]byte(name))
	// Dark enough for a light background.
	foreground := color.RGBA{digest[0] / 2, digest[1] / 2, digest[2] / 2, 255}
	picture := image.NewPaletted(image.Rect(0, 0, pixels, pixels), color.Palette{background, foreground})
	side := pixels / squares
	for y := range side * squares {
		for x := range side * squares {
			picture.SetColorIndex(x, y, filled(digest[3:], x/side, y/side))
		}
	}
	return picture
}

// filled is the index of a square's colour.
func filled(bits []byte, column, row int) uint8 {
	mirrored := min(column, squares-1-column)
	return bits[row*squares+mirrored] & 1
}
