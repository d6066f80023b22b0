using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

/// <summary>
/// Functions of one vector. The polynomials are minimax fits of our own, found by exchange in float64; the error
/// stated is that of the polynomial, to which a few float32 roundings are added.
/// </summary>
internal static class SimdMath
{
    /// <summary>e^x; 0 below -104, infinity above 88.73. Polynomial error 7.5e-9.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp<TSimd, TVector>(TVector x)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        x = TSimd.Max(TSimd.Broadcast(-104f), TSimd.Min(TSimd.Broadcast(89f), x));
        TVector n = TSimd.Round(TSimd.Multiply(x, TSimd.Broadcast(1.44269504f)));
        // ln 2 in two parts, the first short enough that n times it is exact.
        TVector r = TSimd.MultiplyAdd(n, TSimd.Broadcast(-0.693359375f), x);
        r = TSimd.MultiplyAdd(n, TSimd.Broadcast(2.12194440e-4f), r);
        TVector p = TSimd.Broadcast(0.001394112411128426f);
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(0.00836318123350547f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(0.0416663751326432f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(0.16666576970051025f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(0.5000000026950392f));
        p = TSimd.Add(TSimd.MultiplyAdd(TSimd.Multiply(r, r), p, r), TSimd.Broadcast(1f));
        // 2^n in two factors, so that subnormal results and n = 128 come out right.
        TVector half = TSimd.Round(TSimd.Multiply(n, TSimd.Broadcast(0.5f)));
        return TSimd.Multiply(TSimd.Multiply(p, TSimd.PowerOfTwo(half)), TSimd.PowerOfTwo(TSimd.Subtract(n, half)));
    }

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Sigmoid<TSimd, TVector>(TVector x)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector one = TSimd.Broadcast(1f);
        return TSimd.Divide(one, TSimd.Add(one, Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Broadcast(0), x))));
    }

    /// <summary>tanh x: a polynomial below 0.625 (error 4.1e-9), above by e^2x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Tanh<TSimd, TVector>(TVector x)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector one = TSimd.Broadcast(1f), a = TSimd.Abs(x), z = TSimd.Multiply(x, x);
        TVector p = TSimd.Broadcast(-0.00571704536063949f);
        p = TSimd.MultiplyAdd(p, z, TSimd.Broadcast(0.020650587613744317f));
        p = TSimd.MultiplyAdd(p, z, TSimd.Broadcast(-0.0537434981978402f));
        p = TSimd.MultiplyAdd(p, z, TSimd.Broadcast(0.13331491288762556f));
        p = TSimd.MultiplyAdd(p, z, TSimd.Broadcast(-0.33333283925375085f));
        p = TSimd.MultiplyAdd(TSimd.Multiply(p, z), x, x);
        TVector e = Exp<TSimd, TVector>(TSimd.Add(a, a));
        TVector large = TSimd.Subtract(one, TSimd.Divide(TSimd.Broadcast(2f), TSimd.Add(e, one)));
        return TSimd.SelectLess(a, TSimd.Broadcast(0.625f), p, WithSign<TSimd, TVector>(large, x));
    }

    /// <summary>
    /// erf x: x P(x^2) below 1 (error 1.2e-9), above 1 - e^Q(|x|) with Q fitted to the logarithm of erfc (error 1.3e-9);
    /// 1 from 4 on, where erfc is below half a unit of float32.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Erf<TSimd, TVector>(TVector x)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector one = TSimd.Broadcast(1f), z = TSimd.Multiply(x, x);
        TVector p = TSimd.Broadcast(7.85386137648727e-05f);
        p = TSimd.MultiplyAdd(p, z, TSimd.Broadcast(-0.0008010193632524799f));
        p = TSimd.MultiplyAdd(p, z, TSimd.Broadcast(0.005188327686585314f));
        p = TSimd.MultiplyAdd(p, z, TSimd.Broadcast(-0.026853811935745805f));
        p = TSimd.MultiplyAdd(p, z, TSimd.Broadcast(0.1128358514862453f));
        p = TSimd.MultiplyAdd(p, z, TSimd.Broadcast(-0.3761262582423385f));
        p = TSimd.MultiplyAdd(p, z, TSimd.Broadcast(1.1283791657267106f));
        p = TSimd.Multiply(p, x);
        TVector a = TSimd.Min(TSimd.Broadcast(4f), TSimd.Abs(x));
        TVector q = TSimd.Broadcast(0.00019150402592701057f);
        q = TSimd.MultiplyAdd(q, a, TSimd.Broadcast(-0.0029995396551779755f));
        q = TSimd.MultiplyAdd(q, a, TSimd.Broadcast(0.022051993421422503f));
        q = TSimd.MultiplyAdd(q, a, TSimd.Broadcast(-0.10356688400210817f));
        q = TSimd.MultiplyAdd(q, a, TSimd.Broadcast(-0.6376000476019987f));
        q = TSimd.MultiplyAdd(q, a, TSimd.Broadcast(-1.1274260811085908f));
        q = TSimd.MultiplyAdd(q, a, TSimd.Broadcast(-0.00025644685329440087f));
        TVector large = TSimd.Subtract(one, Exp<TSimd, TVector>(q));
        return TSimd.SelectLess(TSimd.Abs(x), one, p, WithSign<TSimd, TVector>(large, x));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector WithSign<TSimd, TVector>(TVector magnitude, TVector x)
        where TSimd : IFloatSimd<TVector>
        where TVector : unmanaged
    {
        TVector zero = TSimd.Broadcast(0);
        return TSimd.SelectLess(x, zero, TSimd.Subtract(zero, magnitude), magnitude);
    }
}
