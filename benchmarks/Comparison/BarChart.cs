using System.Net;
using System.Text;

namespace Portable.Benchmarks.Comparison;

/// <summary>Horizontal bars in groups, as SVG. The longest bar of each group fills the width: groups differ tenfold.</summary>
internal static class BarChart
{
    private const int Width = 720, Left = 130, Right = 70, BarHeight = 16, GroupGap = 14, Top = 62;
    private static readonly string[] Colours = ["#1f6feb", "#8c959f", "#bf8700"];

    public static string Draw(string title, IReadOnlyList<string> series, IReadOnlyList<(string Label, double[] Values)> groups)
    {
        int groupHeight = (series.Count * BarHeight) + GroupGap, height = Top + (groups.Count * groupHeight);
        var svg = new StringBuilder();
        svg.Append($"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Width}\" height=\"{height}\" viewBox=\"0 0 {Width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
        Text(12, 20, "start", title, "font-size=\"14\" font-weight=\"bold\"");
        for (int i = 0; i < series.Count; i++)
        {
            int x = Left + (i * 130);
            svg.Append($"<rect x=\"{x}\" y=\"34\" width=\"12\" height=\"12\" fill=\"{Colours[i]}\"/>\n");
            Text(x + 18, 44, "start", series[i]);
        }

        for (int g = 0; g < groups.Count; g++)
        {
            int y = Top + (g * groupHeight);
            double longest = groups[g].Values.Max();
            Text(Left - 8, y + (series.Count * BarHeight / 2) + 4, "end", groups[g].Label);
            for (int i = 0; i < series.Count; i++)
            {
                double value = groups[g].Values[i], length = (Width - Left - Right) * value / longest;
                int at = y + (i * BarHeight);
                svg.Append($"<rect x=\"{Left}\" y=\"{at}\" width=\"{length:f1}\" height=\"{BarHeight - 2}\" fill=\"{Colours[i]}\"/>\n");
                Text(Left + (int)length + 5, at + BarHeight - 5, "start", value >= 100 ? $"{value:f0}" : $"{value:f1}");
            }
        }

        return svg.Append("</svg>\n").ToString();

        void Text(int x, int y, string anchor, string text, string more = "") =>
            svg.Append($"<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"#1f2328\" {more}>{WebUtility.HtmlEncode(text)}</text>\n");
    }
}
