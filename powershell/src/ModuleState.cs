using System.Management.Automation;

namespace TokenKit;

/// <summary>
/// What the module keeps between commands: the variables of its script part, TokenKit.State.psm1. Each runspace that
/// imports the module has its own, and they end with the module.
/// </summary>
internal static class ModuleState
{
    private const string ScriptPart = "TokenKit.State";

    /// <summary>The variable <paramref name="name"/> as seen by <paramref name="cmdlet"/>'s module.</summary>
    /// <exception cref="FailureException">The module was not imported by its manifest.</exception>
    internal static PSVariable Variable(PSCmdlet cmdlet, string name) =>
        Find(cmdlet.MyInvocation.MyCommand.Module)?.SessionState.PSVariable.Get(name)
        ?? throw Failures.Invalid($"TokenKit's {name} is not there: import the module by its name or manifest, not TokenKit.dll alone.", "module_state_missing");

    // Another module that has TokenKit among its nested ones is the cmdlet's module, too.
    private static PSModuleInfo? Find(PSModuleInfo? module) =>
        module is null ? null
        : module.Name == ScriptPart ? module
        : module.NestedModules.Select(Find).FirstOrDefault(found => found is not null);
}
