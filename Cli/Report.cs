using Spectre.Console;

namespace Portable.Cli;

/// <summary>A table of a report: drawn on a terminal, plain columns in a pipe. Cells may hold untrusted text.</summary>
internal sealed class Report(params string[] headers)
{
    private readonly List<string[]> _rows = [];

    /// <summary>Adds a row with a cell for each header.</summary>
    public Report Add(params string[] cells)
    {
        _rows.Add([.. cells.Select(CliConsole.OneLine)]);
        return this;
    }

    public void Write(CliConsole console)
    {
        bool hasHeaders = headers.Any(static h => h.Length > 0);
        if (console.IsOutputTerminal)
        {
            var table = new Table { Border = hasHeaders ? TableBorder.Rounded : TableBorder.None, ShowHeaders = hasHeaders };
            foreach (string header in headers)
                table.AddColumn(new TableColumn(Markup.Escape(header)));
            foreach (string[] row in _rows)
                table.AddRow([.. row.Select(static cell => new Text(cell))]);
            console.StyledOutput.Write(table);
            return;
        }

        IEnumerable<string[]> lines = hasHeaders ? _rows.Prepend(headers) : _rows;
        int[] widths = [.. headers.Select((h, i) => lines.Select(r => r[i].Length).DefaultIfEmpty().Max())];
        foreach (string[] line in lines)
            console.Output.WriteLine(string.Join("  ", line.Select((cell, i) => i == line.Length - 1 ? cell : cell.PadRight(widths[i]))).TrimEnd());
    }
}
