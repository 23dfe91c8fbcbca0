using System.Text;

using TokenKit.Native;

namespace TokenKit;

/// <summary>
/// One call of the native library: the secrets, the signer and the events of it. Ends with
/// <see cref="RunAsync"/>, or with <see cref="Dispose"/> when it is never made. Calls that need no waiting may come before.
/// </summary>
internal sealed class Call : IDisposable
{
    private readonly Operation operation = Failures.Guard(() => Operation.Create(NativeLibraryResolver.Client));
    private readonly List<IDisposable> owned = [];

    // Calls without details are over, most of them, before there is anything to tell; each question for events costs a way
    // through two threads.
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(250);

    private readonly bool details;

    /// <param name="details">Whether events are wanted that are for a log only.</param>
    internal Call(bool details = true)
    {
        this.details = details;
        if (!details)
        {
            operation.SkipDetails();
        }
    }

    /// <summary>Wipes the secrets that were not used, and lets go of the signer.</summary>
    public void Dispose()
    {
        operation.Dispose();
        owned.ForEach(item => item.Dispose());
        owned.Clear();
    }

    /// <summary>Starts a call by <paramref name="start"/>, which puts its secrets in; nothing is kept when that fails.</summary>
    /// <param name="start">Starts it.</param>
    /// <param name="details">Whether events are wanted that are for a log only.</param>
    internal static Task<T> Start<T>(Func<Call, Task<T>> start, bool details = true)
    {
        var call = new Call(details);
        try
        {
            return start(call);
        }
        catch
        {
            call.Dispose();
            throw;
        }
    }

    /// <summary>Disposes of <paramref name="item"/> when the call is over.</summary>
    internal T Own<T>(T item)
        where T : IDisposable
    {
        owned.Add(item);
        return item;
    }

    /// <summary>Copies a secret into the native library; the request names it by the result, once.</summary>
    internal unsafe SecretInput Put(ReadOnlySpan<byte> secret)
    {
        fixed (byte* start = secret)
        {
            SliceByte slice = SliceByte.From((IntPtr)start, (ulong)secret.Length);
            return new SecretInput { slot = Failures.Guard(() => operation.PutSecret(slice)), text = null };
        }
    }

    /// <summary>Like <see cref="Put(ReadOnlySpan{byte})"/>, for text.</summary>
    internal SecretInput Put(string secret)
    {
        using SecretBuffer buffer = SecretBuffer.FromText(secret);
        return Put(buffer.Span);
    }

    /// <summary>Like <see cref="Put(ReadOnlySpan{byte})"/>, for the value of a parameter.</summary>
    internal SecretInput Put(object? secret, string parameter)
    {
        using SecretBuffer buffer = Secrets.Read(secret, parameter);
        return Put(buffer.Span);
    }

    /// <summary>
    /// Sets what signs for a key outside the native library: gets the JOSE name of the algorithm and the message.
    /// It runs on a thread of the native library.
    /// </summary>
    internal void SetSigner(Func<string, byte[], byte[]> sign) => operation.SetSigner((algorithm, message) =>
    {
        Signature signature;
        try
        {
            string name = Encoding.ASCII.GetString(algorithm.ReadOnlySpan);
            signature = new Signature { bytes = [.. sign(name, message.ReadOnlySpan.ToArray())], problem = null };
        }
        catch (Exception e)
        {
            // Nothing may leave the callback, and the reason is of use to people.
            signature = new Signature { bytes = [], problem = e.GetBaseException().Message };
        }
        return signature.Wire();
    });

    /// <summary>Reads a JWT without checking it. May be done any number of times.</summary>
    /// <exception cref="FailureException">It is none.</exception>
    internal DecodedJwt Decode(string jwt) => Run(
        operation =>
        {
            using var token = SliceByte.From(Encoding.UTF8.GetBytes(jwt));
            return operation.DecodeJwt(token.Slice);
        },
        wire => wire.Unwire());

    /// <summary>Requests a token.</summary>
    /// <param name="request">The request; its secrets are in this call.</param>
    /// <param name="observe">Gets what happens meanwhile, on any thread.</param>
    /// <param name="stopping">Ends the request.</param>
    /// <exception cref="FailureException">There is no token.</exception>
    internal Task<TokenResponse> TokenAsync(TokenRequest request, Action<Event> observe, CancellationToken stopping) =>
        RunAsync(operation => operation.Token(request.Wire(), stopping), wire => wire.Unwire(), observe, stopping);

    /// <summary>Makes the one asynchronous call.</summary>
    /// <param name="start">Starts it.</param>
    /// <param name="read">Reads its answer.</param>
    /// <param name="observe">Gets what happens meanwhile, on any thread.</param>
    /// <param name="stopping">Ends it.</param>
    /// <exception cref="FailureException">It failed.</exception>
    internal async Task<T> RunAsync<TWire, T>(
        Func<Operation, Task<TWire>> start,
        Func<TWire, T> read,
        Action<Event> observe,
        CancellationToken stopping)
        where TWire : IDisposable
    {
        using (this)
        {
            try
            {
                Task<TWire> answer = start(operation);
                if (!details)
                {
                    await ((Task)answer).WaitAsync(Quiet, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
                if (details || !answer.IsCompleted || operation.HasEvents())
                {
                    await WatchAsync(observe, stopping).ConfigureAwait(false);
                }
                // To be awaited in any case: it owns a native buffer.
                using TWire wire = await answer.ConfigureAwait(false);
                return read(wire);
            }
            catch (Exception e) when (Failures.Translate(e) is { } failure)
            {
                throw failure;
            }
        }
    }

    /// <summary>Hands the answer of the prepared authorization request over; another may follow when it is refused.</summary>
    /// <exception cref="FailureException">It is not the answer, or says that the sign-in failed.</exception>
    internal unsafe void AcceptAnswer(ReadOnlySpan<byte> answer)
    {
        fixed (byte* start = answer)
        {
            SliceByte slice = SliceByte.From((IntPtr)start, (ulong)answer.Length);
            Failures.Guard(() =>
            {
                operation.AcceptAnswer(slice);
                return true;
            });
        }
    }

    /// <summary>Makes a call that needs no waiting.</summary>
    /// <exception cref="FailureException">It failed.</exception>
    internal T Run<TWire, T>(Func<Operation, TWire> start, Func<TWire, T> read)
        where TWire : IDisposable => Failures.Guard(() =>
    {
        using TWire wire = start(operation);
        return read(wire);
    });

    private async Task WatchAsync(Action<Event> observe, CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                using WireOfVecEvent wire = await operation.NextEvents(stopping).ConfigureAwait(false);
                List<Event> events = wire.Unwire();
                if (events.Count == 0)
                {
                    return;
                }
                events.ForEach(observe);
            }
        }
        catch (OperationCanceledException)
        {
            // The answer says so, too.
        }
    }
}
