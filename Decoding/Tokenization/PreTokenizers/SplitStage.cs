namespace Portable.Decoding.Tokenization;

/// <summary>Splits a piece into alternating matches and rest; derived types say what a match is.</summary>
internal abstract class SplitStage(SplitBehavior behavior, bool invert) : PieceStage
{
    /// <summary>Hands on what a behaviour makes of a row of matches and rest, holding back one part at most.</summary>
    protected ref struct Parts(SplitStage stage, ReadOnlySpan<char> piece, bool atStart, List<int> ids)
    {
        private readonly ReadOnlySpan<char> _piece = piece;
        private int _heldStart;
        private int _heldEnd;
        private bool _held;
        private bool _previousMatch;

        public void Add(int start, int end, bool match)
        {
            if (start == end && !match)
                return;
            match ^= stage.Invert;
            switch (stage.Behavior)
            {
                case SplitBehavior.Isolated:
                    Emit(start, end);
                    return;
                case SplitBehavior.Removed:
                    if (!match)
                        Emit(start, end);
                    return;
            }

            bool joins = _held && stage.Behavior switch
            {
                SplitBehavior.Contiguous => match == _previousMatch,
                SplitBehavior.MergedWithPrevious => match && !_previousMatch,
                _ => !match && _previousMatch,
            };
            if (!joins)
            {
                End();
                _heldStart = start;
            }

            (_heldEnd, _held, _previousMatch) = (end, true, match);
        }

        public void End()
        {
            if (_held)
                Emit(_heldStart, _heldEnd);
            _held = false;
        }

        private readonly void Emit(int start, int end) =>
            stage.Emit(_piece[start..end], atStart && start == 0, ids);
    }

    private SplitBehavior Behavior { get; } = behavior;

    private bool Invert { get; } = invert;
}
