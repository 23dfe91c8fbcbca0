using System.Collections;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Management.Automation;
using System.Runtime.CompilerServices;

using TokenKit.Native;

namespace TokenKit.Commands;

/// <summary>
/// What every cmdlet of the module shares: waiting for native calls on the pipeline thread while their messages are
/// written, answers in the order of the input, Ctrl+C, and failures.
/// </summary>
public abstract class TokenKitCmdlet : PSCmdlet, IDisposable
{
    /// <summary>A wait this long is worth a progress bar.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private const string WaitingForUser = "Waiting for the sign-in";

    private readonly CancellationTokenSource stopping = new();

    private readonly ConcurrentQueue<Action> work = new();

    // Over a short way an answer comes sooner than a thread that sleeps wakes up, so it looks out for a moment before. Never
    // disposed of: a call that ends after the cmdlet, because it was stopped, still says so.
    private readonly ManualResetEventSlim added = new(false, spinCount: 400);
    private readonly Queue<PendingCall> calls = new();
    private readonly HashSet<string> warned = [];
    private readonly long begun = Stopwatch.GetTimestamp();
    private int running;
    private bool? showsDetails;
    private string? status;
    private Countdown? countdown;
    private ProgressRecord? progress;
    private long shown;
    private int finished;
    private bool isApproved;

    /// <summary>Whether requests are only made to be shown.</summary>
    private protected bool IsRehearsing { get; private set; }

    /// <summary>Triggered by Ctrl+C and by the end of the cmdlet.</summary>
    private protected CancellationToken Cancellation => stopping.Token;

    /// <summary>What the progress bar says while a call takes long.</summary>
    private protected virtual string Waiting => "Waiting for the store";

    /// <summary>Whether anybody sees what is written for -Verbose and -Debug.</summary>
    private protected bool ShowsDetails => IsRehearsing || (showsDetails ??=
        MyInvocation.BoundParameters.ContainsKey("Verbose")
        || MyInvocation.BoundParameters.ContainsKey("Debug")
        || !IsSilent("VerbosePreference")
        || !IsSilent("DebugPreference"));

    /// <summary>The endpoint as errors may show it, where the cmdlet has one.</summary>
    private protected virtual string? Endpoint => null;

    /// <summary>Ends what still runs.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Runs <paramref name="function"/> where the host and PowerShell code may be used, and waits for it.</summary>
    internal T OnPipelineThread<T>(Func<T> function)
    {
        var result = new TaskCompletionSource<T>();
        Queue(() =>
        {
            try
            {
                result.SetResult(function());
            }
            catch (Exception e)
            {
                result.SetException(e);
            }
        });
        return result.Task.WaitAsync(Cancellation).GetAwaiter().GetResult();
    }

    /// <summary>Ends what still runs.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            stopping.Cancel();
        }
    }

    /// <summary>Handles one input object, or the only call without any.</summary>
    private protected abstract void Process();

    /// <summary>Handles what is left when there are no more input objects.</summary>
    private protected virtual void Finish()
    {
    }

    /// <inheritdoc/>
    protected sealed override void ProcessRecord()
    {
        try
        {
            Process();
        }
        catch (FailureException e)
        {
            // Behind the calls that still run: failures come in the order of the input, too.
            calls.Enqueue(new PendingCall(() => throw e, Endpoint) { IsOver = true });
            WriteFinished();
        }
    }

    /// <inheritdoc/>
    protected sealed override void EndProcessing()
    {
        try
        {
            Finish();
        }
        catch (FailureException e)
        {
            calls.Enqueue(new PendingCall(() => throw e, Endpoint) { IsOver = true });
        }
        Wait(() => running == 0);
        HideProgress();
    }

    /// <inheritdoc/>
    protected sealed override void StopProcessing() => stopping.Cancel();

    /// <summary>
    /// Takes a call that has been started, and waits until no more than <paramref name="limit"/> - 1 run. What
    /// <paramref name="shape"/> makes of its answer, an array item by item, is written in the order of the calls.
    /// </summary>
    private protected void Submit<T>(Task<T> call, Func<T, object> shape, int limit = 1)
    {
        var pending = new PendingCall(() => shape(call.GetAwaiter().GetResult()), Endpoint);
        calls.Enqueue(pending);
        Follow(call, () => pending.IsOver = true);
        Wait(() => running < limit);
    }

    /// <summary>Waits for a call whose answer the cmdlet needs to go on.</summary>
    /// <exception cref="FailureException">It failed.</exception>
    private protected T Await<T>(Task<T> call)
    {
        bool isOver = false;
        Follow(call, () => isOver = true);
        Wait(() => isOver);
        return Answer(() => call.GetAwaiter().GetResult());
    }

    /// <summary>Writes for the person at the console, wherever the output goes, as <c>Write-Host</c> does.</summary>
    private protected void Tell(string text) => WriteInformation(new HostInformationMessage { Message = text }, ["PSHOST"]);

    /// <summary>Starts a call.</summary>
    /// <param name="fill">Makes its request, whose secrets go into the call; nothing is kept when that fails.</param>
    /// <param name="start">Starts it.</param>
    /// <param name="read">Reads its answer.</param>
    /// <param name="summary">What is requested, for people.</param>
    private protected Task<T> Start<TRequest, TWire, T>(
        Func<Call, TRequest> fill,
        Func<Operation, TRequest, Task<TWire>> start,
        Func<TWire, T> read,
        string summary)
        where TWire : IDisposable => Call.Start(call =>
    {
        TRequest request = fill(call);
        return call.RunAsync(operation => start(operation, request), read, happened => Observe(happened, summary), Cancellation);
    }, ShowsDetails);

    /// <summary>Makes a call as <see cref="Start"/> does, and writes what <paramref name="shape"/> makes of its answer.</summary>
    private protected void Send<TRequest, TWire, T>(
        Func<Call, TRequest> fill,
        Func<Operation, TRequest, Task<TWire>> start,
        Func<TWire, T> read,
        string summary,
        Func<T, object> shape)
        where TWire : IDisposable => Submit(Start(fill, start, read, summary), shape);

    /// <summary>Queues what happened in a call for the streams of the cmdlet.</summary>
    /// <param name="happened">What happened.</param>
    /// <param name="request">What is requested, for people.</param>
    private protected void Observe(Event happened, string request)
    {
        // The time that is left counts from now, however long the host takes to show what came before.
        Countdown? left =
            happened.kind.IsWaiting ? new Countdown(happened.kind.AsWaiting())
            : happened.kind.IsRetrying ? new Countdown(happened.kind.AsRetrying())
            : null;
        Queue(() => Show(happened, request, left));
    }

    /// <summary>
    /// Whether to say what would be done, or to ask first. Only <c>-WhatIf</c> and <c>-Confirm</c> of this very command
    /// count, unless it destroys something: a script that is run with <c>-WhatIf</c> needs its token all the same.
    /// </summary>
    private protected bool IsAsked => IsWhatIf || IsGiven("Confirm")
        || (IsDestructive && (LanguagePrimitives.IsTrue(SessionState.PSVariable.GetValue("WhatIfPreference"))
            || SessionState.PSVariable.GetValue("ConfirmPreference") is <= ConfirmImpact.Medium and not ConfirmImpact.None));

    /// <summary>Whether the command takes something away.</summary>
    private protected virtual bool IsDestructive => false;

    /// <summary>Shows the request that <paramref name="request"/> makes with <c>-WhatIf</c>, and asks with <c>-Confirm</c>.</summary>
    /// <exception cref="FailureException">It is not to be sent; that is reported to nobody.</exception>
    private protected void Approve(Action request)
    {
        if (!IsAsked)
        {
            return;
        }
        (IsRehearsing, isApproved) = (true, false);
        try
        {
            request();
            Wait(() => running == 0);
        }
        catch (FailureException e) when (e.IsNotSent)
        {
            // As it has to end.
        }
        finally
        {
            IsRehearsing = false;
        }
        if (!isApproved)
        {
            throw Failures.NotSent();
        }
    }

    /// <summary>Whether nothing is done but to say what would be.</summary>
    private protected bool IsWhatIf => IsGiven("WhatIf");

    private bool IsGiven(string name) =>
        MyInvocation.BoundParameters.TryGetValue(name, out object? value) && value is SwitchParameter { IsPresent: true };

    /// <summary>Counts a call as running, and as over after all events that its task queues before it ends.</summary>
    private void Follow(Task call, Action atEnd)
    {
        running++;
        call.ContinueWith(
            _ => Queue(() =>
            {
                running--;
                atEnd();
            }),
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
    }

    /// <summary>Queues what is to be done on the pipeline thread, behind the messages that came before.</summary>
    private protected void Queue(Action action)
    {
        work.Enqueue(action);
        added.Set();
    }

    private void Wait(Func<bool> isEnough)
    {
        long started = Stopwatch.GetTimestamp();
        while (!isEnough())
        {
            added.Reset();
            if (work.TryDequeue(out Action? next))
            {
                next();
            }
            else
            {
                try
                {
                    added.Wait((int)Patience.TotalMilliseconds / 4, Cancellation);
                }
                catch (OperationCanceledException)
                {
                    throw new PipelineStoppedException();
                }
            }
            WriteFinished();
            if (!isEnough() && Stopwatch.GetElapsedTime(started) >= Patience)
            {
                ShowProgress();
            }
        }
        while (work.TryDequeue(out Action? rest))
        {
            rest();
        }
        WriteFinished();
        if (!MyInvocation.ExpectingInput)
        {
            HideProgress();
        }
        // Of a pipeline each call may be short, and all of them together long.
        else if (Stopwatch.GetElapsedTime(begun) >= Patience && Stopwatch.GetElapsedTime(shown) >= Patience / 4)
        {
            ShowProgress();
        }
    }

    private void WriteFinished()
    {
        while (calls.TryPeek(out PendingCall? call) && call.IsOver)
        {
            calls.Dequeue();
            finished++;
            object answer;
            try
            {
                answer = Answer(call.Answer);
            }
            catch (FailureException e)
            {
                Report(e, call.Endpoint);
                continue;
            }
            WriteObject(answer, enumerateCollection: answer is object[]);
        }
    }

    private T Answer<T>(Func<T> answer)
    {
        try
        {
            return answer();
        }
        catch (OperationCanceledException) when (Cancellation.IsCancellationRequested)
        {
            throw new PipelineStoppedException();
        }
        catch (Exception e) when (e is OperationCanceledException or System.Text.Json.JsonException)
        {
            throw Failures.Internal($"The call ended without a usable answer: {e.Message}", e);
        }
    }

    /// <summary>
    /// Reports a failure. For one of several input objects it is an error that lets the others go on. Otherwise it
    /// is thrown.
    /// </summary>
    private protected virtual void Fail(FailureException failure, object? target)
    {
        if (MyInvocation.ExpectingInput || !IsTerminating(ErrorPreference))
        {
            WriteError(failure.ToRecord(failure.Code, target));
            return;
        }
        Throw(failure, target);
    }

    /// <summary>The value of <c>-ErrorAction</c>, when it is given.</summary>
    private protected object? ErrorPreference => MyInvocation.BoundParameters.GetValueOrDefault("ErrorAction");

    /// <summary>
    /// Throws as the statement <c>throw</c> does: a script without <c>try</c> stops here and does not go on without a
    /// token.
    /// </summary>
    private protected void Throw(FailureException failure, object? target)
    {
        ErrorRecord record = CompleteRecord(failure, target);
        AddToErrorVariable(record);
        throw new RuntimeException(failure.Message, failure.InnerException, record) { WasThrownFromThrowStatement = true };
    }

    /// <summary>A record for what PowerShell passes on as it is: what it adds to other errors is added here.</summary>
    private protected ErrorRecord CompleteRecord(FailureException failure, object? target)
    {
        ErrorRecord record = failure.ToRecord($"{failure.Code},{GetType().FullName}", target);
        record.CategoryInfo.Activity = MyInvocation.MyCommand.Name;
        return record;
    }

    /// <summary>Adds to the variable that <c>-ErrorVariable</c> names.</summary>
    private protected void AddToErrorVariable(ErrorRecord record)
    {
        if (MyInvocation.BoundParameters.GetValueOrDefault("ErrorVariable") is string variable
            && SessionState.PSVariable.GetValue(variable.TrimStart('+')) is ArrayList errors)
        {
            errors.Add(record);
        }
    }

    private void Report(FailureException failure, string? endpoint)
    {
        if (failure.IsNotSent)
        {
            return;
        }
        HideProgress();
        Fail(failure, failure.Endpoint ?? endpoint);
    }

    /// <summary>Whether a failure ends the script, for the value of <c>-ErrorAction</c>.</summary>
    private protected virtual bool IsTerminating(object? preference) => preference is null or ActionPreference.Continue;

    private void Show(Event happened, string request, Countdown? left)
    {
        // The first line says what, the others with which headers and fields.
        string[] lines = happened.text.Split('\n', StringSplitOptions.TrimEntries);
        if (happened.kind.IsWaiting)
        {
            (status, countdown) = (WaitingForUser, left);
            return;
        }
        if (happened.kind.IsWarning)
        {
            // Once for all of a pipeline.
            if (warned.Add(happened.text))
            {
                WriteWarning(happened.text);
            }
            return;
        }
        if (IsRehearsing && happened.kind.IsSending && !happened.text.StartsWith("GET ", StringComparison.Ordinal))
        {
            isApproved = ShouldProcess(happened.text, $"{happened.text}\n\nSend this request?", request);
            return;
        }
        WriteVerbose(happened.kind.IsSending ? $"{lines[0]} ({request})" : lines[0]);
        foreach (string line in lines.AsSpan(1))
        {
            WriteDebug(line);
        }
        if (happened.kind.IsRetrying)
        {
            (status, countdown) = (lines[0], left);
        }
        else if (happened.kind.IsSending && status != WaitingForUser)
        {
            (status, countdown) = (null, null);
        }
    }

    /// <summary>How far a pipeline has come, for its progress bar.</summary>
    private protected virtual string Done(int calls) => $"{calls} done";

    private bool IsSilent(string preference) =>
        SessionState.PSVariable.GetValue(preference) is ActionPreference.SilentlyContinue or ActionPreference.Ignore;

    private void ShowProgress()
    {
        bool isAlone = running <= 1 && (finished == 0 || countdown is not null);
        // When the pause before a retry is over, what is sent then is told to logs only.
        string alone = (countdown is { IsOver: true } && status != WaitingForUser ? null : status) ?? Waiting;
        string text = isAlone ? alone : running > 1 ? $"{Done(finished)}, {running} requests are running" : Done(finished);
        int secondsRemaining = isAlone ? countdown?.Seconds ?? -1 : -1;
        shown = Stopwatch.GetTimestamp();
        if (progress is null || progress.StatusDescription != text || progress.SecondsRemaining != secondsRemaining)
        {
            progress = new ProgressRecord(RuntimeHelpers.GetHashCode(this), MyInvocation.MyCommand.Name, text)
            {
                SecondsRemaining = secondsRemaining,
            };
            WriteProgress(progress);
        }
    }

    private void HideProgress()
    {
        if (progress is not null)
        {
            progress.RecordType = ProgressRecordType.Completed;
            WriteProgress(progress);
            progress = null;
        }
    }

    private sealed class PendingCall(Func<object> answer, string? endpoint)
    {
        internal Func<object> Answer { get; } = answer;

        internal string? Endpoint { get; } = endpoint;

        internal bool IsOver { get; set; }
    }

    /// <summary>A time that runs out.</summary>
    private sealed class Countdown(ulong milliseconds)
    {
        private readonly long end = Environment.TickCount64 + (long)milliseconds;

        internal bool IsOver => end <= Environment.TickCount64;

        internal int Seconds => (int)(Math.Max(0, end - Environment.TickCount64) / 1000);
    }
}
