using System.Text.Json;
using Portable.Vision.Processing;

namespace Portable.Tests.Vision.Processing;

[Category("Golden")]
public sealed class SizeTableGoldenTests
{
    // What each table's rows say, as the numbers that follow the image's size; an error text is what must be refused.
    private static readonly Dictionary<string, Func<JsonElement, JsonElement, int[]>> s_tables = new()
    {
        ["qwen_smart_resize"] = (_, row) => Sizes(SmartResize.Target(Int(row, 4), Int(row, 5), Int(row, 1), row[2].GetInt64(), row[3].GetInt64()), Int(row, 1)),
        ["glm4v_smart_resize"] = (table, row) => Sizes(
            TileSizes.Glm4v(Int(row, 4), Int(row, 5), table.GetProperty("num_frames").GetInt32(), Int(row, 1), row[2].GetInt64(), row[3].GetInt64()), Int(row, 1)),
        ["qwen3_vl_video_smart_resize"] = (_, row) => Pair(TileSizes.Glm4v(Int(row, 4), Int(row, 5), Int(row, 0), Int(row, 1), row[2].GetInt64(), row[3].GetInt64())),
        ["internvl_tiles"] = (_, row) =>
        {
            (int columns, int rows) = TileSizes.NearestGrid(Int(row, 3), Int(row, 4), Int(row, 2), Int(row, 2), Int(row, 0), Int(row, 1));
            return [columns, rows, columns * rows + (columns * rows > 1 ? 1 : 0)];
        },
        ["idefics3_smolvlm_split"] = (_, row) =>
        {
            (int height, int width) = TileSizes.WithLongestEdge(Int(row, 2), Int(row, 3), Int(row, 0));
            (int wholeHeight, int wholeWidth) = TileSizes.WholeTiles(height, width, Int(row, 1));
            int rows = wholeHeight / Int(row, 1), columns = wholeWidth / Int(row, 1);
            return [height, width, wholeHeight, wholeWidth, rows * columns == 1 ? 0 : rows, rows * columns == 1 ? 0 : columns];
        },
        ["llava_next_best_resolution"] = Resolution,
        ["llava_onevision_best_resolution"] = Resolution,
        ["pixtral_resize"] = (_, row) => Pair(TileSizes.Pixtral(Int(row, 2), Int(row, 3), Int(row, 0), Int(row, 1))),
        ["gemma3_pan_and_scan"] = (_, row) =>
        {
            (int rows, int columns) = TileSizes.Crops(Int(row, 3), Int(row, 4), Int(row, 0), Int(row, 1), row[2].GetDouble());
            return [rows * columns];
        },
        ["minicpmv4_6_slices"] = (_, row) =>
        {
            var processor = new MiniCpmProcessor(new ImageProcessorConfig { Source = "test", ScaleResolution = Int(row, 0), MaxSlices = Int(row, 1) });
            (int rows, int columns, (int, int) source, (int, int) slices) = processor.Plan(Int(row, 2), Int(row, 3));
            return rows == 0 ? Pair(source) : [rows, columns, .. Pair(source), .. Pair(slices)];
        },
    };

    private static readonly Dictionary<string, int> s_firstResult = new()
    {
        ["qwen_smart_resize"] = 6, ["qwen3_vl_video_smart_resize"] = 6, ["glm4v_smart_resize"] = 6, ["internvl_tiles"] = 5, ["idefics3_smolvlm_split"] = 4, ["llava_next_best_resolution"] = 2,
        ["llava_onevision_best_resolution"] = 2, ["pixtral_resize"] = 4, ["gemma3_pan_and_scan"] = 5, ["minicpmv4_6_slices"] = 4,
    };

    public static IEnumerable<TestCaseData> Cases()
    {
        if (Fixtures.Find("images", "size_tables.json") is not { } path)
        {
            yield return Fixtures.Absent("images/size_tables.json");
            yield break;
        }

        foreach (JsonProperty table in Fixtures.Json(path).RootElement.GetProperty("tables").EnumerateObject())
        {
            TestCaseData test = new TestCaseData(table.Name, (JsonElement?)table.Value).SetName($"Sizes {table.Name}");
            yield return s_tables.ContainsKey(table.Name) ? test : test.Ignore($"not supported yet: size table {table.Name}");
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void Every_size_of_the_table_becomes_what_the_reference_gives(string name, JsonElement? table)
    {
        Func<JsonElement, JsonElement, int[]> sizes = s_tables[name];
        int first = s_firstResult[name], compared = 0;
        Assert.Multiple(() =>
        {
            foreach (JsonElement row in table!.Value.GetProperty("rows").EnumerateArray())
            {
                compared++;
                if (row[first].ValueKind == JsonValueKind.String)
                {
                    Assert.Throws<InvalidInputException>(() => sizes(table.Value, row), row.GetRawText());
                    continue;
                }

                int[] wanted = [.. row.EnumerateArray().Skip(first).SelectMany(Numbers)];
                int[] found = sizes(table.Value, row);
                Assert.That(found, Is.EqualTo(wanted[..Math.Min(wanted.Length, found.Length)]), row.GetRawText());
                Assert.That(found, Is.Not.Empty);
            }
        });
        Assert.That(compared, Is.GreaterThan(0));
    }

    private static int[] Resolution(JsonElement table, JsonElement row)
    {
        (int, int)[] pinpoints = [.. table.GetProperty("pinpoints").EnumerateArray().Select(p => (Int(p, 0), Int(p, 1)))];
        return Pair(TileSizes.BestResolution(Int(row, 0), Int(row, 1), pinpoints));
    }

    private static IEnumerable<int> Numbers(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => [value.GetInt32()],
        JsonValueKind.Array => value.EnumerateArray().SelectMany(Numbers),
        _ => [],
    };

    private static int[] Sizes((int Height, int Width) target, int factor) => [target.Height, target.Width, target.Height / factor * (target.Width / factor)];

    private static int[] Pair((int, int) pair) => [pair.Item1, pair.Item2];

    private static int Int(JsonElement row, int column) => row[column].GetInt32();
}
