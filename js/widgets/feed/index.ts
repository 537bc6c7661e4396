/** The feed's own model has no view: pages reach it through the widgets that name it. */

export default {};
