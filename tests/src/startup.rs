use std::process::Command;

/// Starts a function with these variables, of which `name` has an invalid value.
///
/// # Panics
///
/// Unless it exits and names the variable, in one line.
pub fn refuses_to_start(binary: &str, variables: &[(&str, &str)], name: &str, value: &str) {
    let output = Command::new(binary)
        .env_clear()
        .envs(variables.iter().copied())
        .env(name, value)
        .output()
        .expect("a process");
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).expect("text");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(
        error.starts_with(&format!("Error: \"{name} must ")),
        "{error}"
    );
}
