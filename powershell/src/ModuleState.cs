using System.Management.Automation;

namespace TokenKit;

/// <summary>
/// What the module keeps between commands: variables of the module. Each runspace that imports it has its own, and they
/// end with the module. Made here, since a script that did it would take most of the time of an import.
/// </summary>
public sealed class ModuleState : IModuleAssemblyInitializer
{
    /// <summary>The session of <c>New-VenafiSession</c>. Exported, so that scripts read it and edit its properties.</summary>
    internal const string VenafiSession = "VenafiSession";

    /// <summary>The live table of <c>Get-GovernanceConfiguration</c>.</summary>
    internal const string Configuration = "Configuration";

    private const string Module = "TokenKit";

    /// <summary>The nested module before this one, which is given the arguments of the import.</summary>
    private const string ArgumentsModule = "TokenKit.Arguments";

    /// <summary>The argument for an import without the general names.</summary>
    private const string DistinctNames = "DistinctNames";

    /// <summary>
    /// Names of Cloud.Governance.Client that other modules may have, too. An alias hides every command of its name, so
    /// one that is there already keeps its name.
    /// </summary>
    private static readonly (string General, string Distinct)[] Names =
    [
        ("Get-Configuration", "Get-GovernanceConfiguration"),
        ("Get-HostSetting", "Get-GovernanceHostSetting"),
        ("Get-UrlFromHostSetting", "Get-GovernanceHostSettingUrl"),
        ("Set-Configuration", "Set-GovernanceConfiguration"),
        ("Set-ConfigurationApiKey", "Set-GovernanceConfigurationApiKey"),
        ("Set-ConfigurationApiKeyPrefix", "Set-GovernanceConfigurationApiKeyPrefix"),
        ("Set-ConfigurationDefaultHeader", "Set-GovernanceConfigurationDefaultHeader"),
    ];

    /// <summary>Fills the module that is being imported.</summary>
    public void OnImport()
    {
        // A module that is made here only leads to the engine. While a nested module, such as this assembly, is loaded,
        // the session state of the engine is that of its manifest.
        var engine = (EngineIntrinsics)new PSModuleInfo(linkToGlobal: true).SessionState.PSVariable.GetValue("ExecutionContext");
        SessionState state = engine.SessionState;
        if (state.Module?.Name != Module)
        {
            // The assembly alone: what called Import-Module is not to be filled.
            return;
        }
        PSVariableIntrinsics items = state.PSVariable;
        items.Set(VenafiSession, null);
        items.Set(Configuration, null);
        if (HasDistinctNames(state.Module))
        {
            return;
        }
        List<(string General, string Distinct)> taken = [];
        foreach ((string General, string Distinct) name in Names)
        {
            if (items.GetValue($"alias:{name.General}") is not null
                || items.GetValue($"function:{name.General}") is not null
                || engine.InvokeCommand.GetCmdlet(name.General) is not null)
            {
                taken.Add(name);
            }
            else
            {
                items.Set($"alias:{name.General}", name.Distinct);
            }
        }
        if (taken.Count > 0)
        {
            string general = string.Join(", ", taken.Select(name => name.General));
            string distinct = string.Join(", ", taken.Select(name => name.Distinct));
            engine.InvokeCommand.InvokeScript(
                "Write-Warning $args[0]",
                $"Another module has {general} already, so TokenKit leaves that as it is. Its own commands are {distinct}.");
        }
    }

    private static bool HasDistinctNames(PSModuleInfo module)
    {
        PSModuleInfo? given = module.NestedModules.FirstOrDefault(nested => nested.Name == ArgumentsModule);
        if (given?.SessionState.PSVariable.GetValue("args") is not object[] { Length: > 0 } arguments)
        {
            return false;
        }
        return string.Join(' ', arguments) switch
        {
            "" => false,
            var names when names.Equals(DistinctNames, StringComparison.OrdinalIgnoreCase) => true,
            var names => throw new ArgumentException($"TokenKit takes one argument: {DistinctNames}. It got: {names}"),
        };
    }

    /// <summary>The variable <paramref name="name"/> as seen by <paramref name="cmdlet"/>'s module.</summary>
    /// <exception cref="FailureException">The module was not imported by its manifest.</exception>
    internal static PSVariable Variable(PSCmdlet cmdlet, string name) =>
        Find(cmdlet.MyInvocation.MyCommand.Module)?.SessionState.PSVariable.Get(name)
        ?? throw Failures.Invalid($"TokenKit's {name} is not there: import the module by its name or manifest, not TokenKit.dll alone.", "module_state_missing");

    // Another module that has TokenKit among its nested ones is the cmdlet's module, too.
    private static PSModuleInfo? Find(PSModuleInfo? module) =>
        module is null ? null
        : module is { Name: Module, SessionState: not null } ? module
        : module.NestedModules.Select(Find).FirstOrDefault(found => found is not null);
}
