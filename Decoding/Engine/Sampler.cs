using System.Numerics;

namespace Portable.Decoding.Engine;

/// <summary>
/// Chooses tokens from logits by <see cref="SamplingOptions"/>. Owns its scratch; allocates only at construction. The
/// same seed and logits give the same tokens on every machine. Not thread-safe.
/// </summary>
internal sealed class Sampler
{
    // exp(-40) of the most likely token is below what the sum in float32 resolves, even over 2^18 tokens.
    private const float NegligibleLogitDistance = 40;
    private const int FirstSelection = 1024;

    private readonly float[] _logits;
    private readonly int[] _candidates;
    private readonly float[] _keys;
    private readonly int[] _outputCounts;
    private readonly bool[] _inPrompt;
    private SamplingOptions _options = SamplingOptions.Greedy;
    private KeyValuePair<int, float>[] _biases = [];
    private ulong _state;

    public Sampler(int vocabularySize)
    {
        _logits = new float[vocabularySize];
        _candidates = new int[vocabularySize];
        _keys = new float[vocabularySize];
        _outputCounts = new int[vocabularySize];
        _inPrompt = new bool[vocabularySize];
    }

    /// <summary>Starts a new output.</summary>
    public void Start(SamplingOptions options, ReadOnlySpan<int> prompt)
    {
        _options = options;
        _biases = options.LogitBias is null ? [] : [.. options.LogitBias];
        _state = unchecked((ulong)(options.Seed ?? Random.Shared.NextInt64()));
        Array.Clear(_outputCounts);
        Array.Clear(_inPrompt);
        if (options.RepetitionPenalty == 1)
            return;
        foreach (int token in prompt)
        {
            if ((uint)token < (uint)_inPrompt.Length)
                _inPrompt[token] = true;
        }
    }

    /// <summary>Counts a token of the output, for the penalties.</summary>
    public void Accept(int token) => _outputCounts[token]++;

    /// <summary>Chooses a token.</summary>
    /// <param name="logits">[vocabulary]; not changed.</param>
    public int Choose(ReadOnlySpan<float> logits)
    {
        logits.CopyTo(_logits);
        ApplyBiasAndPenalties();
        int best = IndexOfLargest(_logits);
        // Without a finite maximum (every logit NaN, or one infinite) there is no distribution to draw from.
        if (_options.Temperature == 0 || !float.IsFinite(_logits[best]))
            return best;
        int count = CollectCandidates(_logits[best]);
        count = KeepTopK(count);
        count = KeepTopP(count);
        return Draw(count);
    }

    /// <summary>
    /// Fills the most likely tokens by the model itself and their log-probabilities, most likely first.
    /// </summary>
    /// <param name="logits">[vocabulary], unchanged by options.</param>
    /// <param name="token">A token whose log-probability is wanted.</param>
    /// <param name="top">Receives the most likely ones.</param>
    /// <returns>The token's log-probability.</returns>
    public float LogProbabilities(ReadOnlySpan<float> logits, int token, Span<TokenLogProbability> top)
    {
        float largest = logits[IndexOfLargest(logits)];
        double sum = 0;
        foreach (float logit in logits)
            sum += Math.Exp(logit - largest);
        double logSum = largest + Math.Log(sum);
        if (top.Length > 0)
        {
            for (int i = 0; i < logits.Length; i++)
            {
                _candidates[i] = i;
                _keys[i] = -logits[i];
            }

            SelectSmallest(logits.Length, Math.Min(top.Length, logits.Length));
            Array.Sort(_keys, _candidates, 0, Math.Min(top.Length, logits.Length));
            for (int i = 0; i < top.Length; i++)
                top[i] = new TokenLogProbability(_candidates[i], (float)(-_keys[i] - logSum));
        }

        return (float)(logits[token] - logSum);
    }

    /// <summary>The first index of the largest value; NaN never wins.</summary>
    public static int IndexOfLargest(ReadOnlySpan<float> values)
    {
        int best = 0;
        float largest = float.NegativeInfinity;
        int i = 0;
        if (Vector.IsHardwareAccelerated && values.Length >= 4 * Vector<float>.Count)
        {
            var running = new Vector<float>(float.NegativeInfinity);
            for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
            {
                var next = new Vector<float>(values[i..]);
                running = Vector.ConditionalSelect(Vector.GreaterThan(next, running), next, running);
            }

            for (int lane = 0; lane < Vector<float>.Count; lane++)
                largest = Math.Max(largest, running[lane]);
            for (; i < values.Length; i++)
            {
                if (values[i] > largest)
                    largest = values[i];
            }

            int found = values.IndexOf(largest);
            return found < 0 ? 0 : found;
        }

        for (; i < values.Length; i++)
        {
            if (values[i] > largest)
            {
                largest = values[i];
                best = i;
            }
        }

        return best;
    }

    private void ApplyBiasAndPenalties()
    {
        foreach ((int token, float value) in _biases)
            _logits[token] += value;

        float repetition = _options.RepetitionPenalty, presence = _options.PresencePenalty, frequency = _options.FrequencyPenalty;
        if (repetition == 1 && presence == 0 && frequency == 0)
            return;
        for (int i = 0; i < _logits.Length; i++)
        {
            int count = _outputCounts[i];
            if (count == 0 && !_inPrompt[i])
                continue;
            float logit = _logits[i];
            logit = logit > 0 ? logit / repetition : logit * repetition;
            if (count > 0)
                logit -= presence + (frequency * count);
            _logits[i] = logit;
        }
    }

    private int CollectCandidates(float largest)
    {
        float temperature = _options.Temperature;
        float distance = _options.MinP > 0
            ? Math.Min(NegligibleLogitDistance, -MathF.Log(_options.MinP))
            : NegligibleLogitDistance;
        float threshold = largest - (distance * temperature);
        int count = 0;
        for (int i = 0; i < _logits.Length; i++)
        {
            if (_logits[i] >= threshold)
            {
                _candidates[count] = i;
                _keys[count++] = (largest - _logits[i]) / temperature;
            }
        }

        return count;
    }

    private int KeepTopK(int count)
    {
        if (_options.TopK == 0 || _options.TopK >= count)
            return count;
        SelectSmallest(count, _options.TopK);
        return _options.TopK;
    }

    /// <summary>Keeps the nucleus. Usually few tokens are enough, so a part is selected and sorted before all are.</summary>
    private int KeepTopP(int count)
    {
        if (_options.TopP >= 1)
            return count;
        double total = 0;
        for (int i = 0; i < count; i++)
            total += Math.Exp(-_keys[i]);
        double wanted = _options.TopP * total;
        for (int selected = Math.Min(FirstSelection, count); ; selected = count)
        {
            if (selected < count)
                SelectSmallest(count, selected);
            Array.Sort(_keys, _candidates, 0, selected);
            double sum = 0;
            for (int i = 0; i < selected; i++)
            {
                sum += Math.Exp(-_keys[i]);
                if (sum >= wanted)
                    return i + 1;
            }

            if (selected == count)
                return count;
        }
    }

    private int Draw(int count)
    {
        // Ascending ids make the draw independent of how the candidates were selected.
        Array.Sort(_candidates, _keys, 0, count);
        double total = 0;
        for (int i = 0; i < count; i++)
            total += Math.Exp(-_keys[i]);
        double target = NextUniform() * total;
        for (int i = 0; i < count; i++)
        {
            target -= Math.Exp(-_keys[i]);
            if (target < 0)
                return _candidates[i];
        }

        return _candidates[count - 1];
    }

    /// <summary>Moves the k smallest keys to the front, in any order (quickselect with a median-of-three pivot).</summary>
    private void SelectSmallest(int count, int k)
    {
        int low = 0, high = count - 1;
        while (low < high)
        {
            int middle = low + ((high - low) / 2);
            if (_keys[middle] < _keys[low])
                Swap(low, middle);
            if (_keys[high] < _keys[low])
                Swap(low, high);
            if (_keys[high] < _keys[middle])
                Swap(middle, high);
            float pivot = _keys[middle];
            int left = low, right = high;
            while (left <= right)
            {
                while (_keys[left] < pivot)
                    left++;
                while (_keys[right] > pivot)
                    right--;
                if (left <= right)
                    Swap(left++, right--);
            }

            if (k - 1 <= right)
                high = right;
            else if (k - 1 >= left)
                low = left;
            else
                return;
        }
    }

    private void Swap(int a, int b)
    {
        (_keys[a], _keys[b]) = (_keys[b], _keys[a]);
        (_candidates[a], _candidates[b]) = (_candidates[b], _candidates[a]);
    }

    /// <summary>SplitMix64 (Steele, Lea, Flood 2014), 53 bits.</summary>
    private double NextUniform()
    {
        unchecked
        {
            _state += 0x9E3779B97F4A7C15;
            ulong z = _state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            z ^= z >> 31;
            return (z >> 11) * (1.0 / (1UL << 53));
        }
    }
}
