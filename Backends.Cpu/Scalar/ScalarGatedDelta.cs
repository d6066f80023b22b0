namespace Portable.Backends.Cpu;

/// <summary>One token of the gated delta rule in one head.</summary>
internal static unsafe class ScalarGatedDelta
{
    /// <summary>exp(rate * softplus(decay + bias)), at most 1; softplus as PyTorch cuts it off at 20.</summary>
    public static float Decay(float decay, float rate, float bias)
    {
        double x = (double)decay + bias;
        return (float)Math.Exp(rate * (x > 20 ? x : Math.Log(1 + Math.Exp(x))));
    }

    /// <summary>1 / (1 + exp(-x)).</summary>
    public static float Sigmoid(float x) => (float)(1 / (1 + Math.Exp(-(double)x)));

    /// <summary>S = decay S; S += k (beta (v - S^T k))^T; output = S^T q, for columns of the value from one on.</summary>
    /// <param name="query">[key size].</param>
    /// <param name="key">[key size].</param>
    /// <param name="value">[value size].</param>
    /// <param name="decay">Multiplies the state.</param>
    /// <param name="beta">How far the state moves.</param>
    /// <param name="state">[key size, value size].</param>
    /// <param name="output">[value size].</param>
    /// <param name="keySize">Rows of the state.</param>
    /// <param name="first">The first column.</param>
    /// <param name="valueSize">Columns of the state.</param>
    public static void Run(
        float* query, float* key, float* value, float decay, float beta, float* state, float* output, int keySize, int first, int valueSize)
    {
        for (int j = first; j < valueSize; j++)
        {
            float held = 0;
            for (int i = 0; i < keySize; i++)
                held += key[i] * (state[(i * valueSize) + j] * decay);
            float delta = beta * (value[j] - held), sum = 0;
            for (int i = 0; i < keySize; i++)
            {
                float* element = state + (i * valueSize) + j;
                *element = (*element * decay) + (key[i] * delta);
                sum += query[i] * *element;
            }

            output[j] = sum;
        }
    }
}
