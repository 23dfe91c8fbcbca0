using System.Management.Automation;

namespace TokenKit.Commands;

/// <summary>What cmdlets that talk to an endpoint share: many requests from a pipeline.</summary>
public abstract class EndpointCmdlet : NetworkCmdlet
{
    private PipedItem? item;

    /// <summary>The object from the pipeline; its properties or keys are parameters.</summary>
    [Parameter(ValueFromPipeline = true, DontShow = true)]
    [PipedItem]
    public PipedItem? InputObject
    {
        get => item;
        set
        {
            item?.Dispose();
            item = value;
        }
    }

    /// <summary>How many calls for piped objects run at the same time.</summary>
    [Parameter]
    [ValidateRange(1, 256)]
    public int ThrottleLimit { get; set; } = 1;

    /// <summary>What the object from the pipeline holds under one of these names, parameters or not.</summary>
    private protected object? Piped(params string[] names) => item?.Find(names);

    /// <summary>Makes the call for the parameters as they are bound.</summary>
    private protected abstract void Request();

    /// <inheritdoc/>
    private protected sealed override void Process()
    {
        if (item is null && MyInvocation.ExpectingInput)
        {
            throw Failures.Invalid("Nothing came through the pipeline.");
        }
        Action? undo = item?.BindRest(this);
        try
        {
            Approve(Request);
            Request();
        }
        finally
        {
            undo?.Invoke();
            InputObject = null;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            InputObject = null;
        }
        base.Dispose(disposing);
    }
}
