using System.Text.Json;
using Portable.Vision.Processing;

namespace Portable.Tests.Vision.Processing;

[Category("Golden")]
public sealed class SmartResizeGoldenTests
{
    private const string Supported = "qwen_smart_resize";

    public static IEnumerable<TestCaseData> Cases()
    {
        if (Fixtures.Find("images", "size_tables.json") is not { } path)
        {
            yield return Fixtures.Absent("images/size_tables.json");
            yield break;
        }

        foreach (JsonProperty table in Fixtures.Json(path).RootElement.GetProperty("tables").EnumerateObject())
        {
            if (table.Name != Supported)
            {
                yield return new TestCaseData(null).SetName($"Sizes {table.Name}").Ignore($"not supported yet: size table {table.Name}");
                continue;
            }

            foreach (IGrouping<string, JsonElement> config in table.Value.GetProperty("rows").EnumerateArray().GroupBy(r => r[0].GetString()!))
                yield return new TestCaseData((object)config.ToArray()).SetName($"Sizes {table.Name}, {config.Key}");
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void Every_size_of_the_table_is_resized_to_the_size_that_the_reference_gives(JsonElement[]? rows)
    {
        Assert.That(rows, Is.Not.Empty);
        Assert.Multiple(() =>
        {
            foreach (JsonElement row in rows!)
            {
                int factor = row[1].GetInt32(), height = row[4].GetInt32(), width = row[5].GetInt32();
                if (row[6].ValueKind == JsonValueKind.String)
                {
                    Assert.Throws<InvalidInputException>(() => Target(row), row.GetRawText());
                    continue;
                }

                (int Height, int Width) target = Target(row);
                Assert.That(target, Is.EqualTo((row[6].GetInt32(), row[7].GetInt32())), row.GetRawText());
                Assert.That(target.Height / factor * (target.Width / factor), Is.EqualTo(row[8].GetInt32()), $"tokens of {height}x{width}");
            }
        });
    }

    private static (int Height, int Width) Target(JsonElement row) => SmartResize.Target(
        row[4].GetInt32(), row[5].GetInt32(), row[1].GetInt32(), row[2].GetInt64(), row[3].GetInt64());
}
