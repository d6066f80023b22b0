using System.Buffers;

namespace Portable.Decoding.Tokenization;

/// <summary>
/// A pattern of a tokenizer file, matched over code points by backtracking with a stack of its own (no recursion on the
/// text) and a bound on the steps, so that a hostile pattern ends in a typed error instead of a hang. Thread-safe.
/// </summary>
internal sealed class TokenRegex
{
    private const int MaxSteps = 20_000;
    private readonly Step[] _steps;
    private readonly ulong _firstLow;
    private readonly ulong _firstHigh;
    private readonly bool _nullable;

    /// <summary>Compiles the pattern; what it uses beyond the known syntax is an <see cref="UnsupportedException"/>.</summary>
    public TokenRegex(string pattern)
    {
        Pattern = pattern;
        RegexNode root = RegexParser.Parse(pattern);
        var steps = new List<Step>();
        Emit(steps, root);
        steps.Add(new Step { Op = RegexOp.Match });
        _steps = [.. steps];
        (_firstLow, _firstHigh) = root.First();
        _nullable = root.Nullable;
    }

    public string Pattern { get; }

    /// <summary>The steps one walk over a text of this length may take; a sound pattern needs a few dozen per character.</summary>
    public static long Budget(int length) => 10_000_000 + 500L * length;

    /// <summary>The leftmost match at or after <paramref name="start"/>; the budget is counted down.</summary>
    public bool TryFind(ReadOnlySpan<char> text, int start, ref long budget, out int matchStart, out int matchEnd)
    {
        var stack = new Stack(stackalloc Entry[32]);
        try
        {
            for (int at = start; at <= text.Length;)
            {
                char c = at < text.Length ? text[at] : '\0';
                bool possible = _nullable || (at < text.Length && (c >= 128 || Has(_firstLow, _firstHigh, c)));
                if (possible)
                {
                    matchEnd = Run(text, 0, at, ref stack, ref budget);
                    if (matchEnd >= 0)
                    {
                        matchStart = at;
                        return true;
                    }
                }

                at += at < text.Length && char.IsHighSurrogate(c) && at + 1 < text.Length ? 2 : 1;
            }
        }
        finally
        {
            stack.Dispose();
        }

        matchStart = matchEnd = -1;
        return false;
    }

    private static bool Has(ulong low, ulong high, int c) => ((c < 64 ? low >> c : high >> (c - 64)) & 1) != 0;

    // Where the match from here ends, or -1.
    private int Run(ReadOnlySpan<char> text, int pc, int at, ref Stack stack, ref long budget)
    {
        int ground = stack.Count;
        while (true)
        {
            if (--budget < 0)
            {
                throw new UnsupportedException(
                    "split pattern " + (Pattern.Length <= 120 ? Pattern : Pattern[..119] + "…"),
                    $"it backtracks without end on a text of {text.Length} characters");
            }

            ref readonly Step step = ref _steps[pc];
            bool matched = true;
            switch (step.Op)
            {
                case RegexOp.One:
                    if (at < text.Length && step.Set!.Contains(CodePoints.At(text, at, out int length)))
                    {
                        at += length;
                        pc++;
                    }
                    else
                    {
                        matched = false;
                    }

                    break;
                case RegexOp.Greedy or RegexOp.Possessive or RegexOp.Lazy:
                    int most = step.Op == RegexOp.Lazy ? step.A : step.B;
                    int taken = 0, floor = at;
                    while (taken != most && at < text.Length && step.Set!.Contains(CodePoints.At(text, at, out int size)))
                    {
                        at += size;
                        if (++taken == step.A)
                            floor = at;
                    }

                    budget -= taken;
                    matched = taken >= step.A;
                    if (matched)
                    {
                        if (step.Op == RegexOp.Lazy)
                            stack.Push(new Entry(pc, at, step.B < 0 ? int.MaxValue : step.B - taken, EntryKind.Extend));
                        else if (step.Op == RegexOp.Greedy && at > floor)
                            stack.Push(new Entry(pc + 1, at, floor, EntryKind.GiveBack));
                        pc++;
                    }

                    break;
                case RegexOp.Split:
                    if (step.Filter && (at >= text.Length || (text[at] < 128 && !Has(step.FirstLow, step.FirstHigh, text[at]))))
                    {
                        pc = step.B;
                    }
                    else
                    {
                        stack.Push(new Entry(step.B, at, 0, EntryKind.Resume));
                        pc = step.A;
                    }

                    break;
                case RegexOp.Jump:
                    pc = step.A;
                    break;
                case RegexOp.Look or RegexOp.NegativeLook:
                    matched = Run(text, pc + 1, at, ref stack, ref budget) >= 0 == (step.Op == RegexOp.Look);
                    pc = step.A;
                    break;
                case RegexOp.Atomic:
                    int inner = Run(text, pc + 1, at, ref stack, ref budget);
                    matched = inner >= 0;
                    at = matched ? inner : at;
                    pc = step.A;
                    break;
                case RegexOp.Match:
                    stack.CutTo(ground);
                    return at;
                default:
                    matched = Holds(step.Op, text, at);
                    pc++;
                    break;
            }

            if (matched)
                continue;
            if (!Backtrack(text, ground, ref stack, ref budget, out pc, out at))
                return -1;
        }
    }

    private bool Backtrack(ReadOnlySpan<char> text, int ground, ref Stack stack, ref long budget, out int pc, out int at)
    {
        while (stack.Count > ground)
        {
            budget--;
            Entry entry = stack.Pop();
            (pc, at) = (entry.Pc, entry.At);
            switch (entry.Kind)
            {
                case EntryKind.Resume:
                    return true;
                case EntryKind.GiveBack:
                    at -= CodePoints.LengthBefore(text, at);
                    if (at > entry.Limit)
                        stack.Push(entry with { At = at });
                    return true;
                default:
                    if (entry.Limit > 0 && at < text.Length && _steps[pc].Set!.Contains(CodePoints.At(text, at, out int length)))
                    {
                        at += length;
                        stack.Push(entry with { At = at, Limit = entry.Limit - 1 });
                        pc++;
                        return true;
                    }

                    break;
            }
        }

        pc = at = -1;
        return false;
    }

    private static bool Holds(RegexOp anchor, ReadOnlySpan<char> text, int at)
    {
        switch (anchor)
        {
            case RegexOp.LineStart:
                return at == 0 || (text[at - 1] == '\n' && at < text.Length);
            case RegexOp.LineEnd:
                return at == text.Length || text[at] == '\n';
            case RegexOp.TextStart:
                return at == 0;
            case RegexOp.TextEnd:
                return at == text.Length;
            case RegexOp.TextEndOrNewline:
                return at == text.Length || (at == text.Length - 1 && text[at] == '\n');
            default:
                bool before = at > 0 && CodePoints.IsWord(CodePoints.At(text, at - CodePoints.LengthBefore(text, at), out _));
                bool after = at < text.Length && CodePoints.IsWord(CodePoints.At(text, at, out _));
                return before != after == (anchor == RegexOp.WordBoundary);
        }
    }

    private void Emit(List<Step> steps, RegexNode node)
    {
        if (steps.Count > MaxSteps)
            throw new UnsupportedException("a split pattern", $"it compiles to more than {MaxSteps} steps");
        switch (node)
        {
            case RegexNode.One one:
                steps.Add(new Step { Op = RegexOp.One, Set = one.Set });
                break;
            case RegexNode.Sequence sequence:
                foreach (RegexNode part in sequence.Parts)
                    Emit(steps, part);
                break;
            case RegexNode.Assert assert:
                steps.Add(new Step { Op = assert.Kind });
                break;
            case RegexNode.Look look:
                EmitNested(steps, look.Negative ? RegexOp.NegativeLook : RegexOp.Look, look.Body);
                break;
            case RegexNode.Atomic atomic:
                EmitNested(steps, RegexOp.Atomic, atomic.Body);
                break;
            case RegexNode.Choice choice:
                var ends = new List<int>();
                for (int i = 0; i < choice.Branches.Count; i++)
                {
                    bool last = i == choice.Branches.Count - 1;
                    int split = steps.Count;
                    if (!last)
                        steps.Add(default);
                    Emit(steps, choice.Branches[i]);
                    if (last)
                        break;
                    ends.Add(steps.Count);
                    steps.Add(default);
                    steps[split] = Split(choice.Branches[i], split + 1, steps.Count);
                }

                foreach (int end in ends)
                    steps[end] = new Step { Op = RegexOp.Jump, A = steps.Count };
                break;
            case RegexNode.Repeat repeat:
                EmitRepeat(steps, repeat);
                break;
        }
    }

    private void EmitNested(List<Step> steps, RegexOp op, RegexNode body)
    {
        int head = steps.Count;
        steps.Add(default);
        Emit(steps, body);
        steps.Add(new Step { Op = RegexOp.Match });
        steps[head] = new Step { Op = op, A = steps.Count };
    }

    private void EmitRepeat(List<Step> steps, RegexNode.Repeat repeat)
    {
        if (repeat.Body is RegexNode.One one)
        {
            RegexOp op = repeat.Kind switch
            {
                RepeatKind.Greedy => RegexOp.Greedy,
                RepeatKind.Lazy => RegexOp.Lazy,
                _ => RegexOp.Possessive,
            };
            steps.Add(new Step { Op = op, Set = one.Set, A = repeat.Min, B = repeat.Max });
            return;
        }

        if (repeat.Kind == RepeatKind.Possessive)
        {
            EmitNested(steps, RegexOp.Atomic, repeat with { Kind = RepeatKind.Greedy });
            return;
        }

        for (int i = 0; i < repeat.Min; i++)
            Emit(steps, repeat.Body);
        bool lazy = repeat.Kind == RepeatKind.Lazy;
        if (repeat.Max < 0)
        {
            int head = steps.Count;
            steps.Add(default);
            Emit(steps, repeat.Body);
            steps.Add(new Step { Op = RegexOp.Jump, A = head });
            steps[head] = lazy
                ? new Step { Op = RegexOp.Split, A = steps.Count, B = head + 1 }
                : Split(repeat.Body, head + 1, steps.Count);
            return;
        }

        var splits = new List<int>();
        for (int i = repeat.Min; i < repeat.Max; i++)
        {
            splits.Add(steps.Count);
            steps.Add(default);
            Emit(steps, repeat.Body);
        }

        foreach (int split in splits)
        {
            steps[split] = lazy
                ? new Step { Op = RegexOp.Split, A = steps.Count, B = split + 1 }
                : Split(repeat.Body, split + 1, steps.Count);
        }
    }

    // A branch that cannot begin with the character at hand is passed over without a stack entry.
    private static Step Split(RegexNode preferred, int a, int b)
    {
        (ulong low, ulong high) = preferred.First();
        return new Step { Op = RegexOp.Split, A = a, B = b, Filter = !preferred.Nullable, FirstLow = low, FirstHigh = high };
    }

    private struct Step
    {
        public RegexOp Op;
        public int A;
        public int B;
        public CodePointSet? Set;
        public bool Filter;
        public ulong FirstLow;
        public ulong FirstHigh;
    }

    private enum EntryKind
    {
        Resume,
        GiveBack,
        Extend,
    }

    private readonly record struct Entry(int Pc, int At, int Limit, EntryKind Kind);

    private ref struct Stack(Span<Entry> first)
    {
        private Span<Entry> _entries = first;
        private Entry[]? _rented;

        public int Count { get; private set; }

        public void Push(Entry entry)
        {
            if (Count == _entries.Length)
                Grow();
            _entries[Count++] = entry;
        }

        public Entry Pop() => _entries[--Count];

        public void CutTo(int count) => Count = count;

        public void Dispose()
        {
            if (_rented is not null)
                ArrayPool<Entry>.Shared.Return(_rented);
            _rented = null;
        }

        private void Grow()
        {
            Entry[] larger = ArrayPool<Entry>.Shared.Rent(_entries.Length * 2);
            _entries.CopyTo(larger);
            Dispose();
            _entries = _rented = larger;
        }
    }
}
