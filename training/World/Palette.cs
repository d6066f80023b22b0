using SkiaSharp;

namespace Portable.Training.World;

/// <summary>A word of the world in both languages.</summary>
internal sealed record Term(string English, string Chinese);

/// <summary>The shapes, colours and words that the world is made of.</summary>
internal static class Palette
{
    public static readonly IReadOnlyList<Term> Shapes =
    [
        new("circle", "圆形"), new("square", "正方形"), new("triangle", "三角形"), new("star", "星形"), new("diamond", "菱形"), new("cross", "十字形"),
    ];

    public static readonly IReadOnlyList<Term> Colours =
    [
        new("red", "红色"), new("green", "绿色"), new("blue", "蓝色"), new("yellow", "黄色"), new("purple", "紫色"),
        new("orange", "橙色"), new("black", "黑色"), new("pink", "粉色"), new("gray", "灰色"),
    ];

    private static readonly SKColor[] s_paints =
    [
        new(212, 40, 40), new(40, 160, 60), new(45, 80, 215), new(235, 208, 40), new(138, 55, 172),
        new(242, 138, 35), new(22, 22, 22), new(246, 150, 192), new(130, 130, 130),
    ];

    public static readonly IReadOnlyList<string> Words =
    [
        "OPEN", "EXIT", "PUSH", "PULL", "STOP", "HOME", "SALE", "FOOD", "MILK", "CAFE", "TAXI", "ROOM", "HALL", "GATE", "PARK", "BANK", "BOOK",
        "FISH", "RICE", "SOUP", "LAMP", "DOOR", "BLUE", "GOLD", "KING", "MOON", "RAIN", "SNOW", "WIND", "FIRE", "TREE", "LAKE", "HILL", "ROAD",
        "SHIP", "PORT", "FARM", "WOOD", "IRON", "SALT", "BREAD", "WATER", "HOUSE", "GREEN", "PLANT", "LIGHT", "CLOCK", "PHONE", "TABLE", "CHAIR",
        "GLASS", "PAPER", "HORSE", "MOUSE", "TIGER", "ZEBRA", "APPLE", "LEMON", "GRAPE", "PEACH", "OLIVE", "BACON", "PIZZA", "PASTA", "SALAD",
        "CURRY", "COFFEE", "MUSEUM", "HOTEL", "MARKET", "GARDEN", "BRIDGE", "DANGER", "CLOSED", "QUIET", "EXTRA", "JUICE", "NORTH", "SOUTH", "VALVE",
    ];

    public static readonly IReadOnlyList<string> Items =
        ["Coffee", "Tea", "Milk", "Bread", "Rice", "Soup", "Cake", "Juice", "Salad", "Pasta", "Fish", "Eggs", "Apple", "Water", "Pizza", "Lamp", "Book", "Pen"];

    public static readonly IReadOnlyList<string> Names =
        ["Anna", "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jack", "Kate", "Liam", "Maria", "Noah", "Olga", "Paul", "Rosa", "Sam", "Tina", "Victor", "Wei", "Yan", "Zoe"];

    public static readonly IReadOnlyList<string> Cities =
        ["Paris", "London", "Berlin", "Madrid", "Rome", "Vienna", "Oslo", "Tokyo", "Delhi", "Cairo", "Lima", "Boston", "Dallas", "Sydney", "Geneva", "Prague", "Seoul", "Dublin"];

    public static readonly IReadOnlyList<string> Months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

    /// <summary>A paint that is still that colour, though not always the same.</summary>
    public static SKColor Paint(int colour, WorldRandom random) => Jitter(s_paints[colour], random, colour is 6 or 8 ? 10 : 18);

    public static SKColor Jitter(SKColor paint, WorldRandom random, int by)
    {
        byte Move(byte value) => (byte)Math.Clamp(value + random.Between(-by, by), 0, 255);
        return new SKColor(Move(paint.Red), Move(paint.Green), Move(paint.Blue));
    }
}
