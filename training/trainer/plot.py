"""Draws log.csv as an SVG: exact match on held-out questions against images seen, a line a category."""
import csv
import sys

COLOURS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#0b5394", "#b45f06", "#000000"]
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 900, 460, 60, 20, 150, 50


def main():
    source, target = sys.argv[1:]
    with open(source) as f:
        rows = list(csv.DictReader(f))
    names = [n for n in rows[0] if n not in ("step", "images", "seconds", "loss")]
    most = max(int(r["images"]) for r in rows)
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    x = lambda images: LEFT + wide * images / most
    y = lambda share: TOP + tall * (1 - share)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for tenth in range(0, 11, 2):
        out.append(f'<line x1="{LEFT}" x2="{LEFT + wide}" y1="{y(tenth / 10):.1f}" y2="{y(tenth / 10):.1f}" stroke="#ddd"/><text x="{LEFT - 8}" y="{y(tenth / 10) + 4:.1f}" text-anchor="end">{tenth * 10} %</text>')
    for fifth in range(6):
        images = most * fifth / 5
        out.append(f'<text x="{x(images):.1f}" y="{HEIGHT - 28}" text-anchor="middle">{images / 1000:.0f} k</text>')
    out.append(f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 8}" text-anchor="middle">images seen in training; exact match on held-out questions</text>')
    ends = sorted((float(rows[-1][n]), n) for n in names)
    place, last = {}, HEIGHT
    for share, name in ends:
        last = min(y(share), last - 14)
        place[name] = last
    for name, colour in zip(names, COLOURS):
        points = " ".join(f"{x(int(r['images'])):.1f},{y(float(r[name])):.1f}" for r in rows)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{3 if name == "all" else 1.5}"/>')
        out.append(f'<text x="{LEFT + wide + 8}" y="{place[name] + 4:.1f}" fill="{colour}">{name} {100 * float(rows[-1][name]):.0f} %</text>')
    out.append("</svg>")
    with open(target, "w") as f:
        f.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
