using Portable.Decoding.Architecture;

namespace Portable.Decoding.Model;

/// <summary>
/// Chooses the experts of each token from the router's logits, on the host, and sorts the pairs of token and expert by
/// expert. Owns its arrays, which the next call overwrites. Sources of the rules: Shazeer et al. 2017; the scores with
/// bias and groups are DeepSeek-V3's (2024).
/// </summary>
/// <param name="config">The rules.</param>
/// <param name="maxTokens">The most tokens routed at once.</param>
internal sealed class ExpertRouter(ExpertConfig config, int maxTokens)
{
    private readonly int[] _offsets = new int[config.Count + 1];
    private readonly int[] _rows = new int[maxTokens * config.PerToken];
    private readonly int[] _experts = new int[config.HasBiases ? maxTokens * config.PerToken : 0];
    private readonly int[] _places = new int[maxTokens * config.PerToken];
    private readonly int[] _chosen = new int[maxTokens * config.PerToken];
    private readonly float[] _weights = new float[maxTokens * config.PerToken];
    private readonly float[] _scores = new float[config.Count];
    private readonly float[] _choice = new float[config.Count];
    private readonly int[] _next = new int[config.Count];

    /// <summary>Where the pairs of each expert begin, and the end [experts + 1].</summary>
    public ReadOnlySpan<int> Offsets => _offsets;

    /// <summary>The token of each pair, sorted by expert [tokens * per token].</summary>
    public ReadOnlySpan<int> Rows => _rows;

    /// <summary>The expert of each pair [tokens * per token]; empty where experts have no biases.</summary>
    public ReadOnlySpan<int> Experts => _experts;

    /// <summary>For the first choice of every token, then the second, …: which pair it is [per token, tokens].</summary>
    public ReadOnlySpan<int> Places => _places;

    /// <summary>The weights of a token's choices [tokens, per token].</summary>
    public ReadOnlySpan<float> Weights => _weights;

    /// <summary>The experts of a token's choices, best first [tokens, per token].</summary>
    public ReadOnlySpan<int> Chosen => _chosen;

    /// <summary>Routes tokens.</summary>
    /// <param name="logits">[tokens, experts].</param>
    /// <param name="bias">Added to scores for the choice [experts], or empty.</param>
    /// <param name="tokens">How many tokens.</param>
    public void Route(ReadOnlySpan<float> logits, ReadOnlySpan<float> bias, int tokens)
    {
        int perToken = config.PerToken;
        for (int t = 0; t < tokens; t++)
        {
            Score(logits.Slice(t * config.Count, config.Count), bias);
            Choose(_chosen.AsSpan(t * perToken, perToken));
            Weigh(_chosen.AsSpan(t * perToken, perToken), _weights.AsSpan(t * perToken, perToken));
        }

        Array.Clear(_offsets);
        for (int i = 0; i < tokens * perToken; i++)
            _offsets[_chosen[i] + 1]++;
        for (int e = 0; e < config.Count; e++)
        {
            _offsets[e + 1] += _offsets[e];
            _next[e] = _offsets[e];
            if (config.HasBiases)
                _experts.AsSpan(_offsets[e].._offsets[e + 1]).Fill(e);
        }

        for (int t = 0; t < tokens; t++)
        {
            for (int k = 0; k < perToken; k++)
            {
                int pair = _next[_chosen[(t * perToken) + k]]++;
                _rows[pair] = t;
                _places[(k * tokens) + t] = pair;
            }
        }
    }

    private void Score(ReadOnlySpan<float> logits, ReadOnlySpan<float> bias)
    {
        if (config.Score == RouterScore.Sigmoid)
        {
            for (int e = 0; e < logits.Length; e++)
                _scores[e] = 1 / (1 + MathF.Exp(-logits[e]));
        }
        else
        {
            float max = logits[0], sum = 0;
            foreach (float logit in logits)
                max = MathF.Max(max, logit);
            for (int e = 0; e < logits.Length; e++)
                sum += _scores[e] = MathF.Exp(logits[e] - max);
            for (int e = 0; e < logits.Length; e++)
                _scores[e] /= sum;
        }

        for (int e = 0; e < logits.Length; e++)
            _choice[e] = _scores[e] + (bias.IsEmpty ? 0 : bias[e]);
        if (config.Groups > 1)
            KeepBestGroups();
    }

    /// <summary>Takes the experts of all but the best groups out of the choice.</summary>
    private void KeepBestGroups()
    {
        int size = config.Count / config.Groups;
        Span<float> sums = config.Groups <= 256 ? stackalloc float[config.Groups] : new float[config.Groups];
        for (int g = 0; g < sums.Length; g++)
        {
            float best = float.NegativeInfinity, second = float.NegativeInfinity;
            foreach (float score in _choice.AsSpan(g * size, size))
                (best, second) = score > best ? (score, best) : (best, MathF.Max(second, score));
            sums[g] = best + second;
        }

        for (int dropped = config.GroupsPerToken; dropped < config.Groups; dropped++)
        {
            int worst = -1;
            for (int g = 0; g < sums.Length; g++)
            {
                if (!float.IsPositiveInfinity(sums[g]) && (worst < 0 || sums[g] <= sums[worst]))
                    worst = g;
            }

            sums[worst] = float.PositiveInfinity;
            _choice.AsSpan(worst * size, size).Fill(float.NegativeInfinity);
        }
    }

    /// <summary>The largest, the lower expert first where equal. Never the same twice, whatever the logits hold.</summary>
    private void Choose(Span<int> chosen)
    {
        for (int k = 0; k < chosen.Length; k++)
        {
            int best = -1;
            for (int e = 0; e < _choice.Length; e++)
            {
                if (!chosen[..k].Contains(e) && (best < 0 || _choice[e] > _choice[best]))
                    best = e;
            }

            chosen[k] = best;
        }
    }

    private void Weigh(ReadOnlySpan<int> chosen, Span<float> weights)
    {
        float sum = 0;
        for (int k = 0; k < chosen.Length; k++)
            sum += weights[k] = _scores[chosen[k]];
        float factor = config.IsRenormalized && sum > 0 ? config.Scale / sum : config.Scale;
        for (int k = 0; k < weights.Length; k++)
            weights[k] *= factor;
    }
}
